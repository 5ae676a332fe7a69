import type { ComponentType, ReactNode } from "react";
import {
  Button as AriaButton,
  ToggleButton as AriaToggleButton,
  type ButtonProps as AriaButtonProps,
  type ToggleButtonProps as AriaToggleButtonProps,
} from "react-aria-components";
import { Link, type LinkProps } from "react-router";
import { Spinner } from "./Loading";

/** `primary` once a page; `danger` only for leaving, recording and destroying. */
export type ButtonVariant = "primary" | "secondary" | "quiet" | "danger";
export type IconType = ComponentType<{ size?: number; className?: string; "aria-hidden"?: boolean }>;

interface Look {
  readonly variant?: ButtonVariant;
  readonly size?: "medium" | "small" | "large";
  readonly icon?: IconType;
  /** The icon points somewhere and is mirrored in right-to-left scripts. */
  readonly directional?: boolean;
  /** As wide as its container. */
  readonly wide?: boolean;
}

function classes({ variant = "secondary", size = "medium", wide }: Look, more = ""): string {
  return `p-button p-button-${variant} p-button-${size}${wide ? " p-button-wide" : ""} ${more}`.trim();
}

function Face({ icon: Icon, directional, children }: Look & { children?: ReactNode }) {
  return (
    <>
      {Icon && <Icon size={18} className={directional ? "flip" : undefined} aria-hidden />}
      {children}
    </>
  );
}

export interface ButtonProps extends Omit<AriaButtonProps, "children" | "className">, Look {
  readonly children?: ReactNode;
  /** Shows a spinner and refuses presses; the label stays, so nothing shifts. */
  readonly isPending?: boolean;
  readonly className?: string;
}

export function Button(props: ButtonProps) {
  const { variant, size, icon, directional, wide, children, isPending, className, ...rest } = props;
  return (
    <AriaButton
      {...rest}
      isPending={isPending}
      className={classes({ variant, size, wide }, className)}
    >
      {isPending ? <Spinner small /> : <Face icon={icon} directional={directional} />}
      {children}
    </AriaButton>
  );
}

export interface IconButtonProps
  extends Omit<AriaButtonProps, "children" | "className">,
    Pick<Look, "variant" | "size" | "directional"> {
  readonly icon: IconType;
  /** The accessible name, also shown as the tooltip. */
  readonly label: string;
  readonly className?: string;
}

export function IconButton(props: IconButtonProps) {
  const { variant = "quiet", size, icon, label, directional, className, ...rest } = props;
  return (
    <AriaButton
      {...rest}
      aria-label={label}
      className={classes({ variant, size }, `p-button-icon ${className ?? ""}`)}
      render={(dom) => <button {...dom} title={label} />}
    >
      <Face icon={icon} directional={directional} />
    </AriaButton>
  );
}

export interface ToggleProps extends Omit<AriaToggleButtonProps, "children" | "className">, Look {
  readonly children?: ReactNode;
  readonly className?: string;
}

/** A button that is on or off (`aria-pressed`). */
export function Toggle(props: ToggleProps) {
  const { variant = "secondary", size, icon, directional, wide, children, className, ...rest } = props;
  return (
    <AriaToggleButton
      {...rest}
      className={classes({ variant, size, wide }, `p-toggle ${className ?? ""}`)}
    >
      <Face icon={icon} directional={directional}>
        {children}
      </Face>
    </AriaToggleButton>
  );
}

/** A link that looks like a button, because it leads to another page. */
export function ButtonLink(props: Omit<LinkProps, "className"> & Look & { className?: string }) {
  const { variant, size, icon, directional, wide, children, className, ...rest } = props;
  return (
    <Link {...rest} className={classes({ variant, size, wide }, className)}>
      <Face icon={icon} directional={directional}>
        {children}
      </Face>
    </Link>
  );
}
