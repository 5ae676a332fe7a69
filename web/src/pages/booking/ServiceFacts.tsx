import { Clock, FileText, MapPin, MessageCircle, Phone, Video, Wallet } from "lucide-react";
import type { Service, ServiceKind } from "../../api";
import { formatMoney } from "../../app/money";
import { useLocale, useT } from "../../i18n";
import { useTimeFormat } from "../../time";
import type { IconType } from "../../ui";

const KIND_ICONS: Readonly<Record<ServiceKind, IconType>> = {
  video: Video,
  phone: Phone,
  in_person: MapPin,
  hybrid: Video,
  document_review: FileText,
  quick_question: MessageCircle,
};

/** Kind, duration and price of a service, each with its icon and a word. */
export function ServiceFacts({ service, duration }: { service: Service; duration?: number }) {
  const t = useT();
  const { locale } = useLocale();
  const time = useTimeFormat();
  const KindIcon = KIND_ICONS[service.kind] ?? Video;
  const minutes = duration ? [duration] : service.durations_minutes;
  return (
    <ul className="facts">
      <li>
        <KindIcon size={18} aria-hidden />
        {t(`kind.${service.kind}`)}
      </li>
      <li>
        <Clock size={18} aria-hidden />
        {new Intl.ListFormat(locale, { type: "disjunction" }).format(minutes.map(time.duration))}
      </li>
      <li>
        <Wallet size={18} aria-hidden />
        {service.price
          ? t("booking.price_at_practice", { price: formatMoney(service.price, locale) })
          : t("booking.free")}
      </li>
    </ul>
  );
}
