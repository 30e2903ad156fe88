//! Little memory and large requests. A process that the limit kills is started again, as a supervisor does.

use super::under_load::{Ending, UnderLoad};
use super::{CLIENTS, End, blocking, figure, stage};
use crate::Setting;
use crate::http::Connection;
use crate::load::Load;
use crate::stage::Stage;
use std::net::SocketAddr;
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
    let (space, mut play) = in_small_space(stage).await?;
    let what = format!("address space of {space} MB");
    play.stage.ledger.fault(&what);
    let (address, mut large) = (play.provider.address(), JoinSet::new());
    let began = Instant::now();
    let lasts = FOR[usize::from(!setting.quick)];
    for _ in 0..LARGE {
        large.spawn(large_requests(address, began + lasts));
    }
    let mut deaths = 0;
    while began.elapsed() < lasts {
        deaths += blocking(|| again(&mut play))?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut answers = 0;
    while let Some(done) = large.join_next().await {
        answers += done.map_err(|e| e.to_string())?;
    }
    deaths += blocking(|| again(&mut play))?;
    // A process that got over the limit neither dies nor recovers: a supervisor's probe would end it.
    let wedged = !play.load.goes_on(WEDGED).await;
    if wedged {
        let what = "the Provider books nothing and is started again";
        play.stage.ledger.fault(what);
        blocking(|| play.provider.restart())?;
        play.must_book("after a restart").await;
    }
    let figures = vec![
        figure("address space, MB", space),
        figure("large requests answered", answers),
        figure("ended by the limit", deaths),
        figure("alive but of no use afterwards", usize::from(wedged)),
    ];
    play.prove(Ending::Killed, figures).await
}

/// A Provider in the smallest space in which it starts and books, and its clients.
async fn in_small_space(stage: Stage) -> Result<(usize, UnderLoad), String> {
    let mut launch = stage.launch("provider")?;
    let mut random = stage.random.clone();
    // One load for all tries: it goes on at the same address.
    let load = Load::start(&stage.shared(&[launch.address]), CLIENTS, &mut random);
    for space in SPACES {
        launch.before = Some(format!("ulimit -v {}", space * 1_024));
        let Ok(mut provider) = blocking(|| launch.start()) else {
            continue;
        };
        if load.goes_on(WEDGED).await {
            let play = UnderLoad {
                stage,
                random,
                provider,
                load,
            };
            return Ok((space, play));
        }
        blocking(|| provider.kill());
    }
    Err("the Provider books in no limited address space".to_owned())
}

/// Starts it until it stands, when it has ended: large requests may end it before it is ready. Gives how often it had ended.
fn again(play: &mut UnderLoad) -> Result<usize, String> {
    if !play.provider.has_ended() {
        return Ok(0);
    }
    play.stage.ledger.fault("the limit ended the Provider");
    let mut why = String::new();
    for deaths in 1..=STARTS {
        match play.provider.restart() {
            Ok(()) => return Ok(deaths),
            Err(reason) => why = reason,
        }
    }
    Err(why)
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
