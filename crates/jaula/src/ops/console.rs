//! `jaula console`: the caller's terminal at a jail's console.

use crate::error::{Error, Result};
use crate::house::House;
use crate::keeper::control::{Order, RESIZED, Reply, TYPED, frame, order, reply};
use crate::state::State;
use model::name::Name;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use sys::signal::{SIGHUP, SIGINT, SIGTERM, SIGWINCH, Signals};
use sys::terminal::Raw;

/// The key that leaves a console: Ctrl-], as telnet has it.
pub const DETACH: u8 = 0x1d;

/// Connects the caller to the console until it presses [`DETACH`] or the jail ends. `begun` is
/// called when it is connected.
pub fn console(house: &House, name: &Name, begun: impl FnOnce()) -> Result<()> {
    let not_running = || Error::NotRunning(name.clone());
    let flags = sys::fs::O_PATH | sys::fs::O_DIRECTORY;
    let run = sys::fs::open(sys::fs::CWD, house.running(name), flags, 0).map_err(|_| not_running())?;
    let state = State::read(&run)?.ok_or_else(not_running)?;
    if state.passing {
        return Err(Error::refused(
            format!("the console of jail {name} is the terminal that it was run from"),
            format!("enter it: jaula enter {name}"),
        ));
    }
    if state.keeper.open().is_none() {
        crate::ops::start::adopt(house, name)?;
    }
    let socket = order(&run, &Order::Console).map_err(Error::call("reach the keeper"))?;
    match reply(&socket, Some(Duration::from_secs(10)))? {
        Some(Reply::Console) => {}
        Some(Reply::Failed { message, help }) => return Err(Error::Keeper { message, help }),
        _ => return Err(Error::KeeperDied(name.clone())),
    }
    begun();
    talk(&socket)
}

fn talk(socket: &OwnedFd) -> Result<()> {
    let failed = || Error::call("talk to the console");
    let stdin = std::io::stdin();
    let terminal = sys::terminal::is(&stdin);
    let _raw = if terminal { Some(Raw::enter(&stdin).map_err(failed())?) } else { None };
    let signals = Signals::take(&[SIGWINCH, SIGTERM, SIGHUP, SIGINT]).map_err(failed())?;
    let send = |bytes: &[u8]| sys::fs::write(socket, bytes).map_err(failed());
    let size = || match sys::terminal::size(std::io::stdout()) {
        Ok(size) => {
            let ([a, b], [c, d]) = (size.rows.to_be_bytes(), size.columns.to_be_bytes());
            send(&frame(RESIZED, &[a, b, c, d]))
        }
        Err(_) => Ok(()),
    };
    size()?;
    let mut typing = true;
    let mut buffer = [0; 4096];
    loop {
        let mut wanted = vec![(socket.as_fd(), false), (signals.as_fd(), false)];
        if typing {
            wanted.push((stdin.as_fd(), false));
        }
        let ready = sys::poll::wait(&wanted, None).map_err(failed())?;
        if ready[0] {
            match sys::fs::read(socket, &mut buffer) {
                Ok(0) | Err(_) => return Ok(()),
                Ok(n) => sys::fs::write(std::io::stdout(), &buffer[..n]).map_err(failed())?,
            }
        }
        while let Some(signal) = signals.next().map_err(failed())? {
            if signal != SIGWINCH {
                return Ok(());
            }
            size()?;
        }
        if typing && ready[2] {
            match sys::fs::read(&stdin, &mut buffer).map_err(failed())? {
                0 => typing = false,
                n => {
                    let end = buffer[..n].iter().position(|b| terminal && *b == DETACH);
                    send(&frame(TYPED, &buffer[..end.unwrap_or(n)]))?;
                    if end.is_some() {
                        return Ok(());
                    }
                }
            }
        }
    }
}
