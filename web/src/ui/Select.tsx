import { Check, ChevronDown } from "lucide-react";
import {
  Autocomplete,
  Button as AriaButton,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  SearchField,
  Select as AriaSelect,
  SelectValue,
  Text,
  useFilter,
} from "react-aria-components";

export interface Option {
  readonly id: string;
  readonly label: string;
  readonly detail?: string;
}

export interface SelectProps {
  readonly label: string;
  readonly options: readonly Option[];
  readonly value: string | null;
  readonly onChange: (id: string) => void;
  /** The label is for screen readers only. */
  readonly hideLabel?: boolean;
  /** Shows a search field in the list, with this as its name. */
  readonly search?: string;
  readonly placeholder?: string;
  readonly isDisabled?: boolean;
  readonly className?: string;
  readonly size?: "medium" | "small";
}

export function Select(props: SelectProps) {
  const { label, options, value, onChange, hideLabel, search, placeholder, size } = props;
  const { contains } = useFilter({ sensitivity: "base" });
  const list = (
    <ListBox items={options} className="p-listbox">
      {(option) => (
        <ListBoxItem
          id={option.id}
          textValue={`${option.label} ${option.detail ?? ""}`}
          className="p-option"
        >
          {({ isSelected }) => (
            <>
              <span className="p-option-text">
                <Text slot="label">{option.label}</Text>
                {option.detail && (
                  <Text slot="description" className="p-option-detail">
                    {option.detail}
                  </Text>
                )}
              </span>
              {isSelected && <Check size={18} aria-hidden />}
            </>
          )}
        </ListBoxItem>
      )}
    </ListBox>
  );
  return (
    <AriaSelect
      value={value}
      onChange={(key) => key !== null && onChange(String(key))}
      placeholder={placeholder}
      isDisabled={props.isDisabled}
      className={`p-field ${props.className ?? ""}`}
    >
      <Label className={hideLabel ? "visually-hidden" : "p-label"}>{label}</Label>
      <AriaButton className={`p-input p-select${size === "small" ? " p-select-small" : ""}`}>
        <SelectValue className="p-select-value">
          {({ defaultChildren, isPlaceholder, selectedText }) =>
            isPlaceholder
              ? defaultChildren
              : (options.find((option) => option.id === value)?.label ?? selectedText)
          }
        </SelectValue>
        <ChevronDown size={18} aria-hidden />
      </AriaButton>
      <Popover className="p-popover p-select-popover" placement="bottom start">
        {search ? (
          <Autocomplete filter={contains}>
            <SearchField aria-label={search} autoFocus className="p-search">
              <Input className="p-input" placeholder={search} />
            </SearchField>
            {list}
          </Autocomplete>
        ) : (
          list
        )}
      </Popover>
    </AriaSelect>
  );
}
