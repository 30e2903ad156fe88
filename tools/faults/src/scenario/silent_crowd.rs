//! Silent, half-spoken and trickling connections of several peers, more than there are places: whoever was there before
//! books on, the server closes the crowd by itself, and has room again.

use super::under_load::{Ending, UnderLoad};
use super::{End, blocking, figure, stage};
use crate::Setting;
use crate::http::Connection;
use crate::stage::Stage;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How often the crowd comes: quick, and full.
const WAVES: [usize; 2] = [1, 40];
/// Places of this Provider: of all, and of one peer.
const PLACES: (usize, usize) = (80, 40);
/// How many come from one peer, more than it may have, and then from some others: together more than all may have. All of them
/// fit into the listen queue (128), however late they are accepted: beyond it the system forgets a silent one, and tells
/// nobody.
const CROWD: (usize, usize) = (60, 48);
/// The others.
const OTHER_PEERS: usize = 4;
/// The first peer of the crowd, 127.0.0.2; the others come from the addresses behind it.
const PEER: u32 = 0x7f00_0002;
/// What the Provider waits for a head or a body, seconds.
const SECONDS: u64 = 1;
/// Pause between two bytes of a body that trickles.
const TRICKLE: Duration = Duration::from_millis(50);
/// How long a client tries to send what it says.
const SEND: Duration = Duration::from_secs(5);
/// How long the others may wait for any answer.
const OTHERS: Duration = Duration::from_secs(5);
/// How long all of a wave may stay: those that wait for a place begin when another ends.
const CLOSED_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let waves = WAVES[usize::from(!setting.quick)];
    let stage = stage(setting, "silent-crowd").await?;
    let mut launch = stage.launch("provider")?;
    launch.settings = format!(
        "[limits]\nconnections = {}\nconnections_per_peer = {}\nheader_seconds = {SECONDS}\nidle_seconds = 10\n\
         body_seconds = {SECONDS}\n",
        PLACES.0, PLACES.1
    );
    let mut play = UnderLoad::launch(stage, &launch)?;
    let (mut came, mut answered) = (0, 0);
    for wave in 1..=waves {
        play.must_book_within(OTHERS, "before the crowd").await;
        let stage = &play.stage;
        let mut crowd = JoinSet::new();
        for n in 0..CROWD.0 + CROWD.1 {
            let number = n % stage.slots.len();
            let request = play.random.uuid();
            let booking = stage.heads.book(request, &stage.slots[number]);
            let peer = match n < CROWD.0 {
                true => 0,
                false => 1 + n % OTHER_PEERS,
            };
            let peer = Ipv4Addr::from(PEER + peer as u32);
            let says = Says::of(n / (1 + OTHER_PEERS));
            if says == Says::Trickle {
                // It never ends, so that it is not made; what becomes of it nobody is told.
                stage.ledger.book(request, number);
            }
            crowd.spawn(says.to(peer, play.provider.address(), booking));
        }
        stage.ledger.fault(&format!("a crowd of {}", crowd.len()));
        play.must_book_within(OTHERS, "beside a silent crowd").await;
        came += crowd.len();
        answered += closed(&play.stage, &mut crowd).await?;
        blocking(|| play.provider.ready())?;
        play.must_book("after the crowd").await;
        setting.progress("silent-crowd", wave, waves);
    }
    let figures = vec![
        figure("crowd", format!("{came} on {} places", PLACES.0)),
        figure("closed by the server", came),
        figure("told 408", answered),
    ];
    play.prove(Ending::Runs, figures).await
}

/// Waits until the server has closed all of them: how many it told why.
async fn closed(stage: &Stage, crowd: &mut JoinSet<Result<bool, String>>) -> Result<usize, String> {
    let mut told = 0;
    let all = async {
        while let Some(ended) = crowd.join_next().await {
            told += usize::from(ended.map_err(|e| e.to_string())??);
        }
        Ok::<(), String>(())
    };
    match timeout(CLOSED_WITHIN, all).await {
        Ok(ended) => ended?,
        Err(_) => {
            stage.ledger.wrong(&format!(
                "{} of a silent crowd were still open after {CLOSED_WITHIN:?}",
                crowd.len()
            ));
            crowd.abort_all();
        }
    }
    Ok(told)
}

/// What one of the crowd says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// Nothing.
    Nothing,
    /// Half of the first words of HTTP/2.
    Preface,
    /// Half a head.
    Head,
    /// A head, and a body byte by byte.
    Trickle,
}

impl Says {
    fn of(n: usize) -> Says {
        [Says::Nothing, Says::Preface, Says::Head, Says::Trickle][n % 4]
    }

    /// Says it and waits until the server closes: true when it said 408 before.
    async fn to(
        self,
        peer: Ipv4Addr,
        address: SocketAddr,
        booking: Vec<u8>,
    ) -> Result<bool, String> {
        let mut connection = Connection::open_from(peer, address)
            .await
            .map_err(|e| format!("one of the crowd cannot connect: {}", e.word()))?;
        let head = booking
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .map_or(0, |at| at + 4);
        let bytes = match self {
            Says::Nothing => &b""[..],
            Says::Preface => b"PRI * HTTP/2.0\r\n",
            Says::Head => &booking[..head / 2],
            Says::Trickle => &booking[..head],
        };
        // It may be closed before: one too many of its peer.
        let _ = connection.send_only(bytes, SEND).await;
        let heard = match self {
            Says::Trickle => connection.trickle(&booking[head..], TRICKLE).await,
            _ => connection.until_closed().await,
        };
        Ok(heard.starts_with(b"HTTP/1.1 408"))
    }
}
