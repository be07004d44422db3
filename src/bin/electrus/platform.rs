//! The only place of the command line that knows which platform this is.

use std::ffi::{OsStr, OsString};
use std::process::{Child, ExitStatus};

/// A signal that asks the program to end.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Its number.
    #[cfg_attr(not(unix), allow(dead_code))]
    pub signal: i32,
    /// The terminal sent it, to every process of the foreground group.
    pub by_terminal: bool,
}

/// Calls `act` in a thread of its own for each SIGINT, SIGTERM and SIGHUP from now on, but for those that whoever started
/// this program has told it to ignore (nohup(1), a shell's background jobs). Where there are no signals, or no threads,
/// they keep their meaning.
#[cfg(unix)]
pub fn on_signal(act: impl Fn(Asked) + Send + 'static) {
    use signal_hook::iterator::SignalsInfo;
    use signal_hook::iterator::exfiltrator::WithOrigin;
    let (registered, ready) = std::sync::mpsc::channel();
    // Registered by the thread that serves them: without it, nobody would.
    let thread = std::thread::Builder::new().spawn(move || {
        let signals = SignalsInfo::<WithOrigin>::new(not_ignored());
        let _ = registered.send(()); // the other end waits for it
        let Ok(mut signals) = signals else { return };
        for origin in &mut signals {
            act(Asked { signal: origin.signal, by_terminal: origin.process.is_none() });
        }
    });
    if thread.is_ok() {
        let _ = ready.recv();
    }
}

#[cfg(unix)]
fn not_ignored() -> Vec<i32> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let ignored = ignored();
    [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0).collect()
}

/// The signals that are ignored, as bits from 0 for signal 1; none where the system does not tell.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(not(unix))]
pub fn on_signal(act: impl Fn(Asked) + Send + 'static) {
    let _ = act;
}

/// Hands a signal on to a child that has not been waited for.
#[cfg(unix)]
pub fn signal(child: u32, asked: Asked) {
    let pid = i32::try_from(child).ok().and_then(rustix::process::Pid::from_raw);
    if let (Some(pid), Some(signal)) = (pid, rustix::process::Signal::from_named_raw(asked.signal)) {
        let _ = rustix::process::kill_process(pid, signal); // it may have ended this very moment
    }
}

#[cfg(not(unix))]
pub fn signal(child: u32, asked: Asked) {
    let _ = (child, asked);
}

/// A child's exit status as a shell gives it: 128 and the number of a signal that ended it.
pub fn status_of(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + (signal as u8 & 0x7f);
    }
    status.code().map_or(255, |code| code as u8)
}

/// Waits until a child has ended, and leaves its process id taken, so that a signal cannot reach a stranger.
#[cfg(unix)]
pub fn wait_for_end(child: &Child) -> std::io::Result<()> {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return Ok(()) };
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

#[cfg(not(unix))]
pub fn wait_for_end(child: &Child) -> std::io::Result<()> {
    let _ = child;
    Ok(())
}

/// A name's bytes (UTF-8 where names are not bytes).
pub fn bytes_of(name: &OsStr) -> Vec<u8> {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStrExt::as_bytes(name).to_vec();
    #[cfg(not(unix))]
    name.to_string_lossy().into_owned().into_bytes()
}

/// A name of these bytes.
pub fn name_of(bytes: Vec<u8>) -> OsString {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStringExt::from_vec(bytes);
    #[cfg(not(unix))]
    String::from_utf8_lossy(&bytes).into_owned().into()
}
