export { Avatar, initialsOf, type AvatarProps } from "./Avatar";
export { Banner, type BannerProps, type Tone } from "./Banner";
export {
  Button,
  ButtonLink,
  IconButton,
  Toggle,
  type ButtonProps,
  type ButtonVariant,
  type IconButtonProps,
  type IconType,
  type ToggleProps,
} from "./Button";
export { ConfirmDialog, Dialog, type DialogProps } from "./Dialog";
export { TextField, type TextFieldProps } from "./Field";
export { Loading, Skeleton, Spinner } from "./Loading";
export { Menu, Popover, type MenuEntry, type MenuGroup, type MenuProps } from "./Menu";
export { Select, type Option, type SelectProps } from "./Select";
export { Checkbox, Segments, Switch } from "./Switch";
