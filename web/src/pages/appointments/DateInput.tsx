import { useId } from "react";

export interface DateInputProps {
  readonly label: string;
  /** `YYYY-MM-DD` */
  readonly value: string | undefined;
  readonly onChange: (value: string | undefined) => void;
  readonly min?: string;
  readonly isRequired?: boolean;
}

/** The browser's own date field: known to everyone on phones, and keyboard-friendly elsewhere. */
export function DateInput({ label, value, onChange, min, isRequired }: DateInputProps) {
  const id = useId();
  return (
    <div className="p-field">
      <label htmlFor={id} className="p-label">
        {label}
      </label>
      <input
        id={id}
        type="date"
        className="p-input tabular"
        value={value ?? ""}
        min={min}
        required={isRequired}
        onChange={(event) => onChange(event.target.value || undefined)}
      />
    </div>
  );
}
