//! The metrics page: everything that is counted, in the text format of OpenMetrics 1.0, which Prometheus reads.
//!
//! Names, units and meanings stand where things are counted (`parley-media-rtc`); here they get their form.
//! Media is told by worker, since a busy worker beside an idle one is what one looks for.

use std::time::Duration;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use parley_media_rtc::{Media, MetricsSnapshot, Value};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PREFIX: &str = "parley_media";

/// `/metrics`.
pub fn router(media: Media) -> Router {
    Router::new().route("/metrics", get(page)).with_state(media)
}

async fn page(State(media): State<Media>) -> Response {
    match text(Workers(media.metrics_by_worker())) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn text(workers: Workers) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(workers));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// A reading of each worker.
#[derive(Debug)]
struct Workers(Vec<MetricsSnapshot>);

impl Collector for Workers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(first) = self.0.first() else { return Ok(()) };
        for (place, metric) in first.iter().enumerate() {
            let kind = match metric.value {
                Value::Counter(_) => MetricType::Counter,
                Value::Gauge(_) => MetricType::Gauge,
                Value::Histogram(_) => MetricType::Histogram,
            };
            // Times are counted in whole microseconds, and told in the base unit.
            let micros = metric.name.strip_suffix("_micros");
            let name = micros.map_or_else(|| metric.name.to_owned(), |stem| format!("{stem}_seconds"));
            let mut family = encoder.encode_descriptor(&name, metric.help, None, kind)?;
            for (worker, snapshot) in self.0.iter().enumerate() {
                // The same metrics in the same order, as both are made by one list.
                let Some(metric) = snapshot.iter().nth(place) else { continue };
                let labels = [("worker", worker.to_string())];
                let mut encoder = family.encode_family(&labels)?;
                match metric.value {
                    Value::Counter(value) if micros.is_some() => {
                        ConstCounter::new(Duration::from_micros(value).as_secs_f64()).encode(encoder)?;
                    }
                    Value::Counter(value) => ConstCounter::new(value).encode(encoder)?,
                    Value::Gauge(value) => {
                        ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(encoder)?;
                    }
                    Value::Histogram(histogram) => {
                        let bounds = histogram.bounds.iter().copied().chain([f64::INFINITY]);
                        let buckets: Vec<(f64, u64)> = bounds.zip(histogram.counts.iter().copied()).collect();
                        encoder.encode_histogram::<[(&str, &str); 0]>(
                            histogram.sum,
                            histogram.count(),
                            &buckets,
                            None,
                        )?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_has_its_line() {
        let busy = MetricsSnapshot { packets_in: 7, busy_micros: 1_500_000, rooms: 2, ..Default::default() };
        let mut delayed = MetricsSnapshot::default();
        delayed.forward_delay_seconds.counts[3] = 5;
        delayed.forward_delay_seconds.sum = 0.002;
        let text = text(Workers(vec![busy, delayed])).unwrap();
        for line in [
            "# TYPE parley_media_packets_in counter",
            "# HELP parley_media_packets_in Datagrams received.",
            "parley_media_packets_in_total{worker=\"0\"} 7",
            "parley_media_packets_in_total{worker=\"1\"} 0",
            "parley_media_busy_seconds_total{worker=\"0\"} 1.5",
            "parley_media_rooms{worker=\"0\"} 2",
            "parley_media_forward_delay_seconds_bucket{le=\"0.00025\",worker=\"1\"} 0",
            "parley_media_forward_delay_seconds_bucket{le=\"0.0005\",worker=\"1\"} 5",
            "parley_media_forward_delay_seconds_bucket{le=\"+Inf\",worker=\"1\"} 5",
            "parley_media_forward_delay_seconds_count{worker=\"1\"} 5",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
