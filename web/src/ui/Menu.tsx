import { Check } from "lucide-react";
import type { ReactElement, ReactNode } from "react";
import {
  Dialog as AriaDialog,
  DialogTrigger,
  Header,
  Menu as AriaMenu,
  MenuItem,
  MenuSection,
  MenuTrigger,
  Popover as AriaPopover,
  type PopoverProps as AriaPopoverProps,
} from "react-aria-components";
import type { IconType } from "./Button";

type Placement = AriaPopoverProps["placement"];

export interface MenuEntry {
  readonly id: string;
  readonly label: string;
  readonly icon?: IconType;
  readonly danger?: boolean;
  readonly isDisabled?: boolean;
}

export interface MenuGroup {
  readonly title?: string;
  readonly entries: readonly MenuEntry[];
  /** Entries are a choice of one, and this one holds. */
  readonly selected?: string;
}

export interface MenuProps {
  /** The accessible name of the list. */
  readonly label: string;
  /** The button that opens it. */
  readonly trigger: ReactElement;
  readonly groups: readonly MenuGroup[];
  readonly onAction: (id: string) => void;
  readonly placement?: Placement;
}

export function Menu({ label, trigger, groups, onAction, placement = "bottom end" }: MenuProps) {
  return (
    <MenuTrigger>
      {trigger}
      <AriaPopover className="p-popover" placement={placement}>
        <AriaMenu aria-label={label} className="p-listbox" onAction={(key) => onAction(String(key))}>
          {groups.map((group, index) => (
            <MenuSection
              key={group.title ?? index}
              aria-label={group.title ?? label}
              className="p-menu-group"
              selectionMode={group.selected === undefined ? "none" : "single"}
              selectedKeys={group.selected === undefined ? [] : [group.selected]}
            >
              {group.title && <Header className="p-menu-title">{group.title}</Header>}
              {group.entries.map(({ id, label: text, icon: Icon, danger, isDisabled }) => (
                <MenuItem
                  key={id}
                  id={id}
                  textValue={text}
                  isDisabled={isDisabled}
                  className={`p-option${danger ? " p-option-danger" : ""}`}
                >
                  {Icon && <Icon size={18} aria-hidden />}
                  <span className="p-option-text">{text}</span>
                  {group.selected === id && <Check size={18} aria-hidden />}
                </MenuItem>
              ))}
            </MenuSection>
          ))}
        </AriaMenu>
      </AriaPopover>
    </MenuTrigger>
  );
}

export interface PopoverProps {
  readonly label: string;
  readonly trigger: ReactElement;
  readonly children: ReactNode;
  readonly placement?: Placement;
}

/** Free content beside the button that opens it. */
export function Popover({ label, trigger, children, placement = "bottom end" }: PopoverProps) {
  return (
    <DialogTrigger>
      {trigger}
      <AriaPopover className="p-popover" placement={placement}>
        <AriaDialog aria-label={label} className="p-popover-body">
          {children}
        </AriaDialog>
      </AriaPopover>
    </DialogTrigger>
  );
}
