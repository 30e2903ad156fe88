//! Little memory and large requests. A process that the limit kills is started again, as a supervisor does.

use super::{BACK_WITHIN, CLIENTS, End, blocking, figure, stage};
use crate::Setting;
use crate::http::Connection;
use crate::load::Load;
use crate::provider::Provider;
use crate::stage::Stage;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Address spaces that are tried, in megabytes, until the program starts in one and books: in a smaller one it might stand
/// and be of no use whatever is sent.
const SPACES: [usize; 6] = [192, 256, 384, 512, 1_024, 2_048];
/// How long it lasts: quick, and full.
const FOR: [Duration; 2] = [Duration::from_millis(2_500), Duration::from_secs(30)];
/// Clients with large requests.
const LARGE: usize = 60;
/// How often in a row a supervisor starts it.
const STARTS: usize = 200;
/// How long a process may book nothing after the large requests until it is taken for dead.
const WEDGED: Duration = Duration::from_secs(3);
/// Size of a large body: as much as the Provider takes.
const BODY: usize = (1 << 20) - 4_096;

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let stage = stage(setting, "memory").await?;
    let mut random = stage.random.clone();
    let mut launch = stage.launch("provider")?;
    let (mut started, mut load) = (None, None);
    for space in SPACES {
        launch.before = Some(format!("ulimit -v {}", space * 1_024));
        let Ok(mut provider) = launch.start() else {
            continue;
        };
        // One load for all tries: it goes on at the same address.
        let shared = stage.shared(&[provider.address()]);
        let load = load.get_or_insert_with(|| Load::start(&shared, CLIENTS, &mut random));
        if load.goes_on(WEDGED).await {
            started = Some((space, provider));
            break;
        }
        blocking(|| provider.kill());
    }
    let (Some((space, mut provider)), Some(load)) = (started, load) else {
        return Err("the Provider books in no limited address space".to_owned());
    };
    stage.ledger.fault(&format!("address space of {space} MB"));
    let (address, mut large) = (provider.address(), JoinSet::new());
    let began = Instant::now();
    let lasts = FOR[usize::from(!setting.quick)];
    for _ in 0..LARGE {
        large.spawn(large_requests(address, began + lasts));
    }
    let mut deaths = 0;
    while began.elapsed() < lasts {
        if provider.has_ended() {
            stage.ledger.fault("the limit ended the Provider");
            deaths += blocking(|| again(&mut provider))?;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut answers = 0;
    while let Some(done) = large.join_next().await {
        answers += done.map_err(|e| e.to_string())?;
    }
    if provider.has_ended() {
        deaths += blocking(|| again(&mut provider))?;
    }
    // A process that got over the limit neither dies nor recovers: a supervisor's probe would end it.
    let wedged = !load.goes_on(WEDGED).await;
    if wedged {
        stage
            .ledger
            .fault("the Provider books nothing and is started again");
        blocking(|| provider.restart())?;
        if !load.goes_on(BACK_WITHIN).await {
            stage.ledger.wrong("nothing was booked after a restart");
        }
    }
    let counts = load.stop().await?;
    proved(
        &stage,
        provider,
        space,
        (deaths, usize::from(wedged), answers),
        counts.booked.load(Ordering::Relaxed),
    )
    .await
}

/// Starts it until it stands: large requests may end it before it is ready. Gives how often it had ended.
fn again(provider: &mut Provider) -> Result<usize, String> {
    let mut why = String::new();
    for deaths in 1..=STARTS {
        match provider.restart() {
            Ok(()) => return Ok(deaths),
            Err(reason) => why = reason,
        }
    }
    Err(why)
}

async fn proved(
    stage: &Stage,
    mut provider: Provider,
    space: usize,
    (deaths, wedged, answers): (usize, usize, usize),
    booked: usize,
) -> Result<End, String> {
    blocking(|| provider.kill());
    let verdict = stage.prove().await?;
    Ok(End::Proved(
        verdict,
        vec![
            figure("address space, MB", space),
            figure("large requests answered", answers),
            figure("ended by the limit", deaths),
            figure("alive but of no use afterwards", wedged),
            figure("booked", booked),
        ],
    ))
}

/// Sends bodies that are large and deep, and no bookings; gives the number of answers.
async fn large_requests(address: SocketAddr, until: Instant) -> usize {
    let body = format!(
        "{{\"resourceType\":\"Appointment\",\"comment\":\"{}\"}}",
        "a".repeat(BODY)
    );
    let head = format!(
        "POST /itk HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let request = [head.as_bytes(), body.as_bytes()].concat();
    let mut answers = 0;
    while Instant::now() < until {
        if let Ok(mut connection) = Connection::open(address).await
            && connection.send(&request).await.is_ok()
        {
            answers += 1;
        } else {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    answers
}
