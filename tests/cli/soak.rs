//! Logging in all the time, while certificates last a minute and Entra is not what it should be.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sandbox::{Fault, Options};

use crate::world::{World, options_with};

/// How long a certificate lasts.
const LIFE: Duration = Duration::from_secs(60);
/// How long a certificate serves before the next one is wanted: two thirds, less what the jitter takes off.
const TURN: Duration = Duration::from_secs(38);
/// Those who log in, again and again.
const WORKERS: usize = 8;

/// A stretch of time in which Entra is away, since the start.
#[derive(Clone, Copy)]
struct Outage {
    from: Duration,
    length: Duration,
}

/// What was counted.
#[derive(Default)]
struct Counts {
    logins: AtomicUsize,
    certificates: AtomicUsize,
    refused: AtomicUsize,
}

/// Logs in for so long; `outages` must lie within it.
fn soak(length: Duration, outages: &[Outage]) {
    let world = World::signed_in(Options {
        certificate_lifetime: LIFE,
        ..options_with(&["web01"])
    });
    world.add(&["web01"]);
    world.ssh("web01", "true").succeeded();
    world.sandbox.clear_requests();
    let (counts, failed) = (Counts::default(), Mutex::new(Vec::new()));
    let (begun, is_over) = (Instant::now(), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while begun.elapsed() < length {
                    let from = begun.elapsed();
                    let output = world.ssh("web01", "true");
                    counts.logins.fetch_add(1, Ordering::Relaxed);
                    if output.status != 0 {
                        let failure = (from, begun.elapsed(), output.stderr);
                        failed.lock().unwrap().push(failure);
                    }
                }
            });
        }
        let counting = scope.spawn(|| make_trouble(&world, begun, outages, &is_over, &counts));
        while begun.elapsed() < length {
            thread::sleep(Duration::from_millis(100));
        }
        is_over.store(true, Ordering::Relaxed);
        counting.join().unwrap();
    });
    let failed = failed.into_inner().unwrap();
    // While Entra is away and the last certificate has ended, there is no renewal that could help.
    let (excused, unexcused): (Vec<_>, Vec<_>) = failed.iter().partition(|(from, to, _)| {
        outages
            .iter()
            .any(|outage| *to >= outage.from && *from <= outage.from + outage.length)
    });
    let (certificates, refused) = (
        counts.certificates.load(Ordering::Relaxed),
        counts.refused.load(Ordering::Relaxed),
    );
    println!(
        "soak of {} s: {} logins, {} failed while no renewal was possible, {} failed otherwise; \
         {certificates} certificates issued, {refused} requests refused or unanswered",
        length.as_secs(),
        counts.logins.load(Ordering::Relaxed),
        excused.len(),
        unexcused.len(),
    );
    assert!(unexcused.is_empty(), "{unexcused:#?}");
    let turns = usize::try_from(length.as_secs() / TURN.as_secs()).unwrap();
    assert!(
        certificates <= turns + 2 + outages.len(),
        "{certificates} certificates in {turns} turns"
    );
}

/// Refuses one token request in five, goes away when it is time, and counts.
fn make_trouble(
    world: &World,
    begun: Instant,
    outages: &[Outage],
    is_over: &AtomicBool,
    counts: &Counts,
) {
    let mut next_refusal = 4;
    let mut is_away = false;
    loop {
        let now = begun.elapsed();
        let away = outages
            .iter()
            .any(|outage| (outage.from..outage.from + outage.length).contains(&now));
        if away != is_away {
            world.sandbox.clear_faults();
            if away {
                world.sandbox.fault(Fault::Outage.times(0));
            }
            is_away = away;
        }
        let rows = world.requests(|row| row.path.ends_with("/token"));
        let issued = rows.iter().filter(|row| row.status == 200).count();
        // The journal forgets the oldest rows of many; those of this test are no more than it keeps.
        counts.certificates.store(issued, Ordering::Relaxed);
        counts.refused.store(rows.len() - issued, Ordering::Relaxed);
        if rows.len() >= next_refusal && !away {
            next_refusal = rows.len() + 5;
            let busy = Fault::token(90033, "temporarily_unavailable", "A transient error.");
            world.sandbox.fault(busy.times(1));
        }
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn nobody_notices_that_certificates_last_a_minute() {
    let outage = Outage {
        from: Duration::from_secs(36),
        length: Duration::from_secs(8),
    };
    soak(Duration::from_secs(75), &[outage]);
}

#[test]
#[ignore = "takes ten minutes"]
fn nobody_notices_for_ten_minutes_that_certificates_last_a_minute() {
    let outages = [150, 400].map(|from| Outage {
        from: Duration::from_secs(from),
        length: Duration::from_secs(30),
    });
    soak(Duration::from_secs(600), &outages);
}
