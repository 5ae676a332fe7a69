//! What a process uses, from `/proc`.

use std::{collections::BTreeMap, fs};

use serde::Serialize;

/// Ticks of `/proc/PID/stat` in a second (USER_HZ; 100 on every architecture of Linux).
const TICKS: f64 = 100.0;
const KIB: u64 = 1024;

/// CPU time of the threads of one name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ThreadUse {
    pub name: String,
    pub cpu_seconds: f64,
}

/// A look at a process.
#[derive(Clone, Debug, Default)]
pub struct ProcessUse {
    /// User and system time of all threads, ended ones included.
    pub cpu_seconds: f64,
    pub rss_bytes: u64,
    /// The part of it that is the process's own: without pages of the program's file, which come in as code is used.
    pub anonymous_bytes: u64,
    /// By thread id: name and seconds, finer than the ticks where the kernel tells (schedstat).
    threads: BTreeMap<u32, (String, f64)>,
}

impl ProcessUse {
    /// `None` when there is no such process or it may not be looked at.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let kib = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
            rest.trim().trim_end_matches(" kB").parse::<u64>().ok()
        };
        let rss = kib("VmRSS:");
        Some(Self {
            cpu_seconds: cpu_of_stat(&stat)?,
            rss_bytes: rss.unwrap_or(0) * KIB,
            // Kernels before 4.5 do not tell it apart.
            anonymous_bytes: kib("RssAnon:").or(rss).unwrap_or(0) * KIB,
            threads: threads(pid),
        })
    }

    /// CPU time since `earlier` by thread name, most first; equal names are summed.
    pub fn threads_since(&self, earlier: &Self) -> Vec<ThreadUse> {
        let mut sums = BTreeMap::<&str, f64>::new();
        for (id, (name, seconds)) in &self.threads {
            let before = earlier.threads.get(id).map_or(0.0, |(_, seconds)| *seconds);
            *sums.entry(name).or_default() += (seconds - before).max(0.0);
        }
        let mut list: Vec<ThreadUse> = sums
            .into_iter()
            .map(|(name, cpu_seconds)| ThreadUse { name: name.to_owned(), cpu_seconds })
            .collect();
        list.sort_by(|one, other| other.cpu_seconds.total_cmp(&one.cpu_seconds));
        list
    }
}

/// CPU time of the calling thread; 0 where the kernel does not tell.
pub(crate) fn thread_cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.map_or(0.0, |nanoseconds| nanoseconds / 1e9)
}

/// Fields 14 and 15; the name before them stands in brackets and may hold anything.
fn cpu_of_stat(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

fn threads(pid: u32) -> BTreeMap<u32, (String, f64)> {
    let Ok(folder) = fs::read_dir(format!("/proc/{pid}/task")) else { return BTreeMap::new() };
    folder
        .flatten()
        .filter_map(|entry| {
            let id: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let name = stat.split_once('(')?.1.rsplit_once(')')?.0.to_owned();
            let fine = fs::read_to_string(entry.path().join("schedstat")).ok();
            let fine = fine.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
            let seconds = fine.map(|nanoseconds| nanoseconds / 1e9).or_else(|| cpu_of_stat(&stat))?;
            Some((id, (name, seconds)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_is_seen_to_work() {
        let before = ProcessUse::of(std::process::id()).unwrap();
        let worker = std::thread::Builder::new().name("busy".to_owned()).spawn(|| {
            let mut sum = 0u64;
            let until = std::time::Instant::now() + std::time::Duration::from_millis(60);
            while std::time::Instant::now() < until {
                sum = std::hint::black_box(sum.wrapping_add(1));
            }
            ProcessUse::of(std::process::id()).unwrap()
        });
        let during = worker.unwrap().join().unwrap();
        let busy = during.threads_since(&before).into_iter().find(|thread| thread.name == "busy");
        assert!(busy.unwrap().cpu_seconds > 0.0);
        assert!(during.cpu_seconds >= before.cpu_seconds && during.rss_bytes > KIB * KIB);
        assert!(during.anonymous_bytes > 0 && during.anonymous_bytes < during.rss_bytes);
        assert!(ProcessUse::of(u32::MAX).is_none());
    }

    #[test]
    fn a_name_with_brackets_and_spaces_is_no_trouble() {
        let stat = "7 (a) b (c)) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 5 6 7";
        assert!((cpu_of_stat(stat).unwrap() - 3.0).abs() < 1e-9);
    }
}
