import { Pencil, Plus } from "lucide-react";
import { useState } from "react";
import { memberApi, useData, type Member, type Service } from "../../api";
import { ProblemBanner } from "../../app/Problem";
import { useT } from "../../i18n";
import { Button, IconButton, Loading } from "../../ui";
import { ServiceFacts } from "../booking/ServiceFacts";
import { ServiceDialog } from "./ServiceDialog";

export default function ServicesPage() {
  const t = useT();
  const { data: services, error, reload } = useData(memberApi.services);
  const { data: members } = useData(memberApi.members);
  const [editing, setEditing] = useState<Service | "new" | null>(null);
  return (
    <div className="stack">
      <header className="row-between">
        <h1>{t("settings.services")}</h1>
        <Button icon={Plus} variant="primary" onPress={() => setEditing("new")}>
          {t("service.add")}
        </Button>
      </header>
      {error && <ProblemBanner error={error} onRetry={reload} />}
      {!services && !error && <Loading label={t("ui.loading")} lines={4} />}
      {services?.length === 0 && <p className="card soft">{t("service.none")}</p>}
      {services && services.length > 0 && (
        <ul className="stack">
          {services.map((service) => (
            <li key={service.id} className="card service-row">
              <div className="stack-tight grow">
                <div className="row">
                  <strong className="h3">{service.name}</strong>
                  {!service.active && <span className="badge">{t("service.inactive")}</span>}
                </div>
                {service.description && <p className="small soft">{service.description}</p>}
                <ServiceFacts service={service} />
                <p className="small soft">{peopleOf(service, members ?? [])}</p>
              </div>
              <IconButton
                icon={Pencil}
                label={t("service.edit_name", { name: service.name })}
                onPress={() => setEditing(service)}
              />
            </li>
          ))}
        </ul>
      )}
      {editing !== null && (
        <ServiceDialog
          service={editing === "new" ? null : editing}
          members={members ?? []}
          onClose={() => setEditing(null)}
          onSaved={() => {
            setEditing(null);
            reload();
          }}
        />
      )}
    </div>
  );
}

function peopleOf(service: Service, members: readonly Member[]): string {
  return members
    .filter(({ id }) => service.provider_ids.includes(id))
    .map(({ name }) => name)
    .join(" · ");
}
