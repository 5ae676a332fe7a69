import {
  Ellipsis,
  Keyboard,
  LayoutGrid,
  Maximize,
  MonitorUp,
  MonitorX,
  PhoneOff,
  PictureInPicture2,
  RectangleHorizontal,
  SlidersHorizontal,
  SwitchCamera,
  Users,
} from "lucide-react";
import type { ReactNode } from "react";
import { Button, IconButton, Menu, Toggle, type MenuEntry } from "../../ui";
import { useCallText } from "../call-messages";
import { canShareScreen, thisClient } from "../model/capability";
import type { CallModel } from "../model/call-model";
import type { Session } from "../session";
import { DeviceToggle } from "./DeviceControls";
import { useMedia, useStore } from "./hooks";
import {
  canFullscreen,
  canPictureInPicture,
  toggleFullscreen,
  togglePictureInPicture,
} from "./screen";

export interface ControlBarProps {
  readonly session: Session;
  readonly call: CallModel;
  readonly root: HTMLElement | null;
  readonly timer: ReactNode;
  readonly panelOpen: boolean;
  readonly onPanel: (open: boolean) => void;
  readonly onDevices: () => void;
  readonly onHelp: () => void;
  readonly onEndForAll: () => void;
}

const NARROW = "(max-width: 34rem)";

export function ControlBar(props: ControlBarProps) {
  const { session, call, root, timer, panelOpen, onPanel } = props;
  const t = useCallText();
  const { layout, sharing, tiles } = useStore(call.store);
  const host = useStore(session.host.store);
  const { cameras } = useStore(session.devices.store);
  const isShared = sharing === "on";
  const isNarrow = useMedia(NARROW);
  const flips = thisClient().kind !== "desktop" && cameras.length > 1;

  const layoutAction = layout === "grid" ? t("control.layout_speaker") : t("control.layout_grid");
  const isDesktop = thisClient().kind === "desktop";
  const hasPicture = tiles.some((tile) => !tile.isLocal && tile.video !== null);
  // Left out of the bar on a phone (styles/call.css).
  const leftOut: MenuEntry[] = [
    {
      id: "layout",
      label: layoutAction,
      icon: layout === "grid" ? RectangleHorizontal : LayoutGrid,
    },
    isShared
      ? { id: "share", label: t("control.share_stop"), icon: MonitorX }
      : { id: "share", label: t("control.share"), icon: MonitorUp },
  ].filter(({ id }) => id !== "share" || canShareScreen());
  const always: MenuEntry[] = [
    { id: "devices", label: t("control.devices"), icon: SlidersHorizontal },
    { id: "flip", label: t("control.flip"), icon: SwitchCamera },
    { id: "pip", label: t("control.pip"), icon: PictureInPicture2, isDisabled: !hasPicture },
    { id: "fullscreen", label: t("control.fullscreen"), icon: Maximize },
    { id: "help", label: t("control.shortcuts"), icon: Keyboard },
  ].filter(
    ({ id }) =>
      (id !== "flip" || flips) &&
      (id !== "pip" || canPictureInPicture()) &&
      (id !== "fullscreen" || canFullscreen()) &&
      (id !== "help" || isDesktop),
  );
  const ending: MenuEntry[] = [
    { id: "end", label: t("control.end_for_all"), icon: PhoneOff, danger: true },
  ];
  const groups = [
    ...(isNarrow ? [{ entries: leftOut }] : []),
    { entries: always },
    ...(isNarrow && host.canHost ? [{ entries: ending }] : []),
  ];
  const onAction = (id: string) => {
    if (id === "devices") props.onDevices();
    if (id === "flip") void session.devices.flip();
    if (id === "layout") call.setLayout(layout === "grid" ? "speaker" : "grid");
    if (id === "share") void call.toggleShare();
    if (id === "pip") void togglePictureInPicture(root);
    if (id === "fullscreen") void toggleFullscreen(root);
    if (id === "help") props.onHelp();
    if (id === "end") props.onEndForAll();
  };

  return (
    <div className="c-bar" role="toolbar" aria-label={t("control.bar")}>
      <div className="c-bar-start">{timer}</div>
      <div className="c-bar-center">
        <DeviceToggle devices={session.devices} kind="microphone" shortcut="M" menuAbove />
        <DeviceToggle devices={session.devices} kind="camera" shortcut="V" menuAbove />
        {canShareScreen() && (
          <Toggle
            className="c-wide-only"
            icon={isShared ? MonitorX : MonitorUp}
            isSelected={isShared}
            isDisabled={sharing === "starting"}
            aria-label={t("control.share")}
            onChange={() => void call.toggleShare()}
            data-testid="share"
            render={(dom) => (
              <button {...dom} title={isShared ? t("control.share_stop") : t("control.share")} />
            )}
          >
            <span className="c-label">{t("control.share_short")}</span>
          </Toggle>
        )}
        <Button
          className="c-wide-only"
          icon={layout === "grid" ? RectangleHorizontal : LayoutGrid}
          aria-label={`${t("control.layout_short")} – ${layoutAction}`}
          onPress={() => call.setLayout(layout === "grid" ? "speaker" : "grid")}
          data-testid="layout"
          render={(dom) => <button {...dom} title={layoutAction} />}
        >
          <span className="c-label">{t("control.layout_short")}</span>
        </Button>
        <Toggle
          icon={Users}
          isSelected={panelOpen}
          aria-label={
            host.waiting.length > 0
              ? t("control.people_waiting", { count: host.waiting.length })
              : t("control.people")
          }
          onChange={onPanel}
          data-testid="people"
          render={(dom) => <button {...dom} title={t("control.people")} />}
        >
          <span className="c-label">{t("control.people_short")}</span>
          {host.waiting.length > 0 && (
            <span className="c-badge" aria-hidden>
              {host.waiting.length}
            </span>
          )}
        </Toggle>
        <Menu
          label={t("control.more")}
          placement="top"
          trigger={
            <IconButton
              icon={Ellipsis}
              variant="secondary"
              label={t("control.more")}
              data-testid="more"
            />
          }
          groups={groups}
          onAction={onAction}
        />
      </div>
      <div className="c-bar-end">
        <LeaveButton {...props} />
      </div>
    </div>
  );
}

/** For a provider "Leave" and "End for all" are two things; for others there is one. */
function LeaveButton({ session, onEndForAll }: ControlBarProps) {
  const t = useCallText();
  const { canHost } = useStore(session.host.store);
  const leave = (
    <Button
      variant="danger"
      icon={PhoneOff}
      aria-label={t("control.leave")}
      onPress={() => void session.join.leave()}
      data-testid="leave"
      render={(dom) => <button {...dom} title={t("control.leave")} />}
    >
      <span className="c-label">{t("control.leave")}</span>
    </Button>
  );
  if (!canHost) return leave;
  return (
    <>
      <Button className="c-end-all" onPress={onEndForAll} data-testid="end-for-all">
        {t("control.end_for_all")}
      </Button>
      {leave}
    </>
  );
}
