import { X } from "lucide-react";
import type { ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { useT } from "../i18n";
import { Button, IconButton, type ButtonVariant } from "./Button";

export interface DialogProps {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly title: string;
  readonly children: ReactNode;
  /** Buttons, the main one last. */
  readonly actions?: ReactNode;
  readonly role?: "dialog" | "alertdialog";
  readonly wide?: boolean;
}

/** Traps the focus, gives it back, closes on Escape. */
export function Dialog({ isOpen, onClose, title, children, actions, role, wide }: DialogProps) {
  const t = useT();
  return (
    <ModalOverlay
      isOpen={isOpen}
      onOpenChange={(open) => !open && onClose()}
      isDismissable={role !== "alertdialog"}
      className="p-overlay"
    >
      <Modal className={`p-modal${wide ? " p-modal-wide" : ""}`}>
        <AriaDialog role={role} className="p-dialog">
          <header className="p-dialog-head">
            <Heading slot="title" className="p-dialog-title">
              {title}
            </Heading>
            <IconButton icon={X} label={t("ui.close")} size="small" onPress={onClose} />
          </header>
          <div className="p-dialog-body">{children}</div>
          {actions && <footer className="p-dialog-actions">{actions}</footer>}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

export interface ConfirmProps extends Omit<DialogProps, "actions" | "role"> {
  readonly confirm: string;
  readonly cancel?: string;
  readonly onConfirm: () => void;
  readonly isPending?: boolean;
  readonly variant?: ButtonVariant;
}

/** Asks once, plainly, before something that cannot be taken back. */
export function ConfirmDialog(props: ConfirmProps) {
  const { confirm, cancel, onConfirm, isPending, variant = "danger", ...rest } = props;
  const t = useT();
  return (
    <Dialog
      {...rest}
      role="alertdialog"
      actions={
        <>
          <Button onPress={rest.onClose} isDisabled={isPending}>
            {cancel ?? t("ui.back")}
          </Button>
          <Button variant={variant} onPress={onConfirm} isPending={isPending}>
            {confirm}
          </Button>
        </>
      }
    />
  );
}
