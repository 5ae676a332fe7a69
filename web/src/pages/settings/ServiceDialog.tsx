import { useState } from "react";
import {
  memberApi,
  type BookingRules,
  type Member,
  type Service,
  type ServiceInput,
  type ServiceKind,
} from "../../api";
import { amountText, parseAmount } from "../../app/money";
import { ProblemBanner } from "../../app/Problem";
import { useT } from "../../i18n";
import { Button, Checkbox, Dialog, Select, Switch, TextField } from "../../ui";
import { parseDurations } from "./model";
import { ServiceRules } from "./ServiceRules";
import { useSaving } from "./useSaving";

const KINDS: readonly ServiceKind[] = [
  "video",
  "phone",
  "in_person",
  "hybrid",
  "document_review",
  "quick_question",
];
const CURRENCIES = ["EUR", "USD", "GBP", "CHF", "AED", "SAR", "EGP", "MAD", "MXN", "CAD"];

export interface ServiceDialogProps {
  /** `null` makes a new one. */
  readonly service: Service | null;
  readonly members: readonly Member[];
  readonly onClose: () => void;
  readonly onSaved: () => void;
}

interface Draft {
  readonly name: string;
  readonly description: string;
  readonly kind: ServiceKind;
  readonly durations: string;
  readonly price: string;
  readonly currency: string;
  readonly providers: readonly string[];
  readonly active: boolean;
  readonly rules: BookingRules;
}

/** What the server gives a new service. */
const USUAL_RULES: BookingRules = {
  buffer_before: 15,
  buffer_after: 15,
  minimum_notice: 24 * 60,
  maximum_advance_days: 60,
  slot_interval: null,
  slot_offset: 0,
  join_before: 15,
  join_after: 15,
};

function draftOf(service: Service | null): Draft {
  return {
    name: service?.name ?? "",
    description: service?.description ?? "",
    kind: service?.kind ?? "video",
    durations: (service?.durations_minutes ?? [30]).join(", "),
    price: service?.price ? amountText(service.price) : "",
    currency: service?.price?.currency ?? "EUR",
    providers: service?.provider_ids ?? [],
    active: service?.active ?? true,
    rules: service?.rules ?? USUAL_RULES,
  };
}

export function ServiceDialog({ service, members, onClose, onSaved }: ServiceDialogProps) {
  const t = useT();
  const [draft, setDraft] = useState(() => draftOf(service));
  const [checked, setChecked] = useState(false);
  const saving = useSaving();
  const change = (part: Partial<Draft>) => setDraft((old) => ({ ...old, ...part }));

  const durations = parseDurations(draft.durations);
  const amount = draft.price.trim() === "" ? 0 : parseAmount(draft.price, draft.currency);
  const nameMissing = draft.name.trim() === "";
  const providerMissing = draft.providers.length === 0;

  const save = async () => {
    setChecked(true);
    if (!durations || amount === null || nameMissing || providerMissing) return;
    const input: ServiceInput = {
      name: draft.name.trim(),
      description: draft.description.trim(),
      kind: draft.kind,
      durations_minutes: durations,
      price: amount > 0 ? { amount, currency: draft.currency } : null,
      provider_ids: draft.providers,
      active: draft.active,
      rules: draft.rules,
    };
    const done = await saving.run(async () => {
      await (service ? memberApi.updateService(service.id, input) : memberApi.createService(input));
    });
    if (done) onSaved();
  };
  const toggle = (id: string, on: boolean) =>
    change({
      providers: on ? [...draft.providers, id] : draft.providers.filter((entry) => entry !== id),
    });

  return (
    <Dialog
      isOpen
      wide
      onClose={onClose}
      title={service ? t("service.edit") : t("service.add")}
      actions={
        <>
          <Button onPress={onClose}>{t("ui.back")}</Button>
          <Button variant="primary" isPending={saving.pending} onPress={() => void save()}>
            {t("settings.save")}
          </Button>
        </>
      }
    >
      {saving.general && <ProblemBanner error={saving.error} />}
      <TextField
        label={t("service.name")}
        isRequired
        maxLength={120}
        value={draft.name}
        onChange={(name) => change({ name })}
        error={checked && nameMissing ? t("service.name_missing") : saving.fieldError("name")}
      />
      <TextField
        label={t("service.description")}
        optional={t("ui.optional")}
        rows={2}
        maxLength={1000}
        value={draft.description}
        onChange={(description) => change({ description })}
        error={saving.fieldError("description")}
      />
      <div className="form-pair">
        <Select
          label={t("service.kind")}
          value={draft.kind}
          options={KINDS.map((id) => ({ id, label: t(`kind.${id}`) }))}
          onChange={(kind) => change({ kind: kind as ServiceKind })}
        />
        <TextField
          label={t("service.durations")}
          description={t("service.durations_like")}
          ltr
          inputMode="text"
          value={draft.durations}
          onChange={(text) => change({ durations: text })}
          error={
            checked && !durations
              ? t("service.durations_wrong")
              : saving.fieldError("durations_minutes")
          }
        />
      </div>
      <div className="form-pair">
        <TextField
          label={t("service.price")}
          description={t("service.price_none")}
          ltr
          inputMode="decimal"
          value={draft.price}
          onChange={(price) => change({ price })}
          error={checked && amount === null ? t("service.price_wrong") : saving.fieldError("price")}
        />
        <Select
          label={t("service.currency")}
          value={draft.currency}
          options={[...new Set([draft.currency, ...CURRENCIES])].map((id) => ({ id, label: id }))}
          onChange={(currency) => change({ currency })}
        />
      </div>
      <fieldset>
        <legend className="p-label">{t("service.people")}</legend>
        {members.map(({ id, name }) => (
          <Checkbox
            key={id}
            isSelected={draft.providers.includes(id)}
            onChange={(on) => toggle(id, on)}
          >
            {name}
          </Checkbox>
        ))}
        {checked && providerMissing && (
          <p className="p-error" role="alert">
            {t("service.people_missing")}
          </p>
        )}
      </fieldset>
      <ServiceRules rules={draft.rules} onChange={(rules) => change({ rules })} />
      <Switch isSelected={draft.active} onChange={(active) => change({ active })}>
        {t("service.active")}
      </Switch>
    </Dialog>
  );
}
