import type { ReactNode } from "react";
import {
  FieldError,
  Input,
  Label,
  Text,
  TextArea as AriaTextArea,
  TextField as AriaTextField,
  type TextFieldProps as AriaTextFieldProps,
} from "react-aria-components";

export interface TextFieldProps extends Omit<AriaTextFieldProps, "children" | "className"> {
  readonly label: string;
  /** Help that is always there, below the field. */
  readonly description?: ReactNode;
  /** What is wrong, in the page's words; shows the field as invalid. */
  readonly error?: string | null;
  /** Said beside the label of a field that may stay empty. */
  readonly optional?: string;
  readonly placeholder?: string;
  readonly className?: string;
  /** Rows of a text area; a single line without it. */
  readonly rows?: number;
  /** Text that reads left to right also in Arabic: addresses, codes, numbers. */
  readonly ltr?: boolean;
}

export function TextField(props: TextFieldProps) {
  const { label, description, error, optional, placeholder, className, rows, ltr, ...rest } = props;
  return (
    <AriaTextField
      {...rest}
      isInvalid={error ? true : rest.isInvalid}
      className={`p-field ${className ?? ""}`}
    >
      <Label className="p-label">
        {label}
        {optional && <span className="p-optional"> {optional}</span>}
      </Label>
      {rows ? (
        <AriaTextArea className="p-input p-textarea" rows={rows} placeholder={placeholder} />
      ) : (
        <Input className="p-input" placeholder={placeholder} dir={ltr ? "ltr" : undefined} />
      )}
      {description && (
        <Text slot="description" className="p-description">
          {description}
        </Text>
      )}
      <FieldError className="p-error">{error ?? undefined}</FieldError>
    </AriaTextField>
  );
}
