import { ChevronRight } from "lucide-react";
import { fullName } from "../../api";
import { Link } from "react-router";
import { useT } from "../../i18n";
import { Avatar } from "../../ui";
import { useBooking } from "./BookingLayout";
import { activeServices, providersOf } from "./model";
import { ServiceFacts } from "./ServiceFacts";
import { StepHead } from "./Steps";

export default function ServiceStep() {
  const t = useT();
  const { organisation } = useBooking();
  const services = activeServices(organisation);
  return (
    <div className="stack-wide booking-narrow">
      <StepHead step="service" title={t("booking.choose_service")} />
      {services.length === 0 ? (
        <div className="card stack-tight">
          <h2 className="h3">{t("booking.no_services")}</h2>
          <p className="soft">{t("booking.no_services_do", { name: organisation.name })}</p>
        </div>
      ) : (
        <ul className="stack">
          {services.map((service) => {
            const providers = providersOf(organisation, service);
            return (
              <li key={service.id}>
                <Link to={encodeURIComponent(service.slug)} className="card service-card">
                  <span className="stack-tight grow">
                    <strong className="service-name">
                      <bdi>{service.name}</bdi>
                    </strong>
                    {service.description && <bdi className="soft">{service.description}</bdi>}
                    <ServiceFacts service={service} />
                    <span className="service-people">
                      <span className="avatars">
                        {providers.slice(0, 3).map((provider) => (
                          <Avatar
                            key={provider.id}
                            name={provider.name}
                            src={provider.photo_url}
                            size={28}
                          />
                        ))}
                      </span>
                      <span className="small soft">
                        {providers.length <= 2
                          ? providers.map(fullName).join(" · ")
                          : t("booking.people", { count: providers.length })}
                      </span>
                    </span>
                  </span>
                  <ChevronRight size={20} aria-hidden className="flip service-go" />
                </Link>
              </li>
            );
          })}
        </ul>
      )}
    </div>
  );
}
