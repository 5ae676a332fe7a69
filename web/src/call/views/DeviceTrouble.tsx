import { RotateCw } from "lucide-react";
import { Banner, Button } from "../../ui";
import { useCallText, type CallText } from "../call-messages";
import { thisClient, type Client } from "../model/capability";
import type { DeviceProblem } from "../model/device-problem";
import type { DeviceModel } from "../model/device-model";
import { useStore } from "./hooks";

export type Which = "camera" | "microphone" | "both";

/** What is wrong, in one sentence. */
export function troubleTitle(which: Which, problem: DeviceProblem, t: CallText): string {
  switch (problem) {
    case "insecure":
      return t("trouble.insecure");
    case "unsupported":
      return t("trouble.unsupported");
    case "denied":
    case "denied_by_system":
      return t(`trouble.denied.${which}`);
    case "not_found":
      return t(`trouble.not_found.${which}`);
    case "in_use":
      return t(`trouble.in_use.${which}`);
    case "lost":
      return t(`trouble.lost.${which}`);
    case "failed":
      return t(`trouble.failed.${which}`);
  }
}

/** What to do about it, in this browser's own terms. */
export function troubleAdvice(problem: DeviceProblem, client: Client, t: CallText): string {
  switch (problem) {
    case "denied":
      return deniedAdvice(client, t);
    case "denied_by_system":
      if (client.os === "macos") return t("advice.system.macos");
      return client.os === "windows" ? t("advice.system.windows") : t("advice.system.other");
    case "not_found":
      return t("advice.not_found");
    case "in_use":
      return t("advice.in_use");
    case "lost":
      return t("advice.lost");
    case "insecure":
      return t("advice.insecure");
    case "unsupported":
      return t("advice.unsupported");
    case "failed":
      return t("advice.failed");
  }
}

function deniedAdvice({ browser, os }: Client, t: CallText): string {
  if (os === "ios") return t("advice.denied.ios");
  if (os === "android") return t("advice.denied.android");
  switch (browser) {
    case "firefox":
      return t("advice.denied.firefox");
    case "safari":
      return t("advice.denied.safari");
    case "chrome":
    case "edge":
    case "opera":
    case "samsung":
      return t("advice.denied.chrome");
    case "other":
      return t("advice.denied.other");
  }
}

export interface DeviceTroubleProps {
  readonly devices: DeviceModel;
  /** Says that one can join all the same; not in the technical check. */
  readonly canJoin?: boolean;
}

export function DeviceTrouble({ devices, canJoin = false }: DeviceTroubleProps) {
  const t = useCallText();
  const { camera, microphone } = useStore(devices.store);
  const found: { which: Which; problem: DeviceProblem }[] = [];
  if (camera.problem && camera.problem === microphone.problem) {
    found.push({ which: "both", problem: camera.problem });
  } else {
    if (microphone.problem) found.push({ which: "microphone", problem: microphone.problem });
    if (camera.problem) found.push({ which: "camera", problem: camera.problem });
  }
  if (found.length === 0) return null;
  return (
    <div className="stack">
      {found.map(({ which, problem }) => (
        <Banner
          key={which}
          tone="warn"
          role="status"
          title={troubleTitle(which, problem, t)}
          actions={
            problem !== "insecure" &&
            problem !== "unsupported" && (
              <Button size="small" icon={RotateCw} onPress={() => void devices.retry()}>
                {t("action.try_again")}
              </Button>
            )
          }
        >
          <p data-testid={`trouble-${which}-${problem}`}>
            {troubleAdvice(problem, thisClient(), t)}
          </p>
          {canJoin && (
            <p>
              {which === "camera" ? t("trouble.join_without_camera") : t("trouble.join_anyway")}
            </p>
          )}
        </Banner>
      ))}
    </div>
  );
}
