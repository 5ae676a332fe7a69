import type { ReactNode } from "react";
import {
  Checkbox as AriaCheckbox,
  Radio,
  RadioGroup as AriaRadioGroup,
  Label,
  Switch as AriaSwitch,
  type CheckboxProps as AriaCheckboxProps,
  type SwitchProps as AriaSwitchProps,
} from "react-aria-components";
import { Check } from "lucide-react";

/** A setting that takes effect at once. */
export function Switch({
  children,
  ...rest
}: Omit<AriaSwitchProps, "children" | "className"> & { children: ReactNode }) {
  return (
    <AriaSwitch {...rest} className="p-switch">
      <span className="p-switch-track" aria-hidden>
        <span className="p-switch-thumb" />
      </span>
      <span>{children}</span>
    </AriaSwitch>
  );
}

export function Checkbox({
  children,
  ...rest
}: Omit<AriaCheckboxProps, "children" | "className"> & { children: ReactNode }) {
  return (
    <AriaCheckbox {...rest} className="p-checkbox">
      {({ isSelected }) => (
        <>
          <span className="p-checkbox-box" aria-hidden>
            {isSelected && <Check size={16} strokeWidth={3} />}
          </span>
          <span>{children}</span>
        </>
      )}
    </AriaCheckbox>
  );
}

export interface SegmentsProps {
  readonly label: string;
  readonly hideLabel?: boolean;
  readonly options: readonly { readonly id: string; readonly label: string }[];
  readonly value: string;
  readonly onChange: (id: string) => void;
}

/** A choice of one out of a few, side by side. */
export function Segments({ label, hideLabel, options, value, onChange }: SegmentsProps) {
  return (
    <AriaRadioGroup
      value={value}
      onChange={onChange}
      orientation="horizontal"
      className="p-field"
    >
      <Label className={hideLabel ? "visually-hidden" : "p-label"}>{label}</Label>
      <div className="p-segments">
        {options.map((option) => (
          <Radio key={option.id} value={option.id} className="p-segment">
            {option.label}
          </Radio>
        ))}
      </div>
    </AriaRadioGroup>
  );
}
