//! A new organisation with everything of it, in one transaction.

use parley_control_app::records::Seed;
use parley_control_domain::Span;

use crate::db::Conn;
use crate::error::Failure;
use crate::{Store, appointments, audit, availability, magic_links, members, organisations, services};

/// Writes the seed unless an organisation with its slug is there; whether it was written.
pub(crate) async fn write(store: &Store, seed: &Seed) -> Result<bool, Failure> {
    let mut tx = store.db.write().await?;
    if organisations::by_slug(&mut tx, seed.organisation.slug.as_str()).await?.is_some() {
        return Ok(false);
    }
    organisations::upsert(&mut tx, &seed.organisation).await?;
    for (member, password_hash) in &seed.members {
        members::upsert(&mut tx, member).await?;
        if let Some(hash) = password_hash {
            members::set_password(&mut tx, member.id, hash).await?;
        }
    }
    for service in &seed.services {
        services::upsert(&mut tx, service).await?;
    }
    for hours in &seed.availability {
        availability::upsert(&mut tx, hours).await?;
    }
    write_appointments(&mut tx, seed).await?;
    for link in &seed.links {
        magic_links::insert(&mut tx, link).await?;
    }
    audit::insert(&mut tx, &seed.audit).await?;
    tx.commit().await?;
    Ok(true)
}

/// Those that overlap an earlier one are left out. Nobody else can book in an organisation
/// that is not committed yet, so looking first is enough; the tables would refuse it anyway.
async fn write_appointments(tx: &mut Conn, seed: &Seed) -> Result<(), Failure> {
    for appointment in &seed.appointments {
        let reserved: Span = appointment.reserved;
        let taken = availability::busy(tx, appointment.provider_id, reserved).await?;
        if appointment.state.takes_time() && !taken.is_empty() {
            continue;
        }
        let mut appointment = appointment.clone();
        appointment.number = appointments::next_number(tx, &appointment).await?;
        appointments::insert(tx, &appointment).await?;
    }
    Ok(())
}
