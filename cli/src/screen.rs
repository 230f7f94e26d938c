//! A whole terminal for a live view: the alternate screen, keys, and everything as it was when it is closed.

use crate::drawing::Size;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::execute;
use crossterm::terminal::{self, EnterAlternateScreen, LeaveAlternateScreen};
use pghaul_core::{Code, Failure};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How long the thread that reads keys waits for one before it looks whether it is to end.
const PAUSE: Duration = Duration::from_millis(100);

/// What the user asks for by a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To end it.
    End,
    /// To look at once.
    Again,
    /// To go so many lines down, or up where it is negative.
    Lines(isize),
    /// To go so many screens down or up.
    Pages(isize),
    /// To go to the begin.
    Begin,
    /// To go to the end.
    Bottom,
    /// To draw anew, as after a change of size.
    Draw,
}

/// The terminal. It is as it was before when this is dropped, also by a panic.
pub(crate) struct Screen {
    keys: Receiver<Asked>,
    closed: Arc<AtomicBool>,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When there is none that can be read from.
    pub(crate) fn open() -> Result<Self, Failure> {
        let failed = |error| {
            Failure::new(Code::BadInput, "this terminal can't show a live view")
                .with_cause(error)
                .with_hint("use `pghaul status --watch | cat`, or --json")
        };
        restore_at_panic();
        terminal::enable_raw_mode().map_err(failed)?;
        let (sender, keys) = channel(16);
        let closed = Arc::new(AtomicBool::new(false));
        let screen = Self {
            keys,
            closed: Arc::clone(&closed),
        };
        execute!(io::stdout(), EnterAlternateScreen, Hide).map_err(failed)?;
        std::thread::spawn(move || read_keys(&sender, &closed));
        Ok(screen)
    }

    /// The next wish of the user. Never comes where no key can be read any more.
    pub(crate) async fn asked(&mut self) -> Asked {
        match self.keys.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }

    /// How large it is now.
    pub(crate) fn size(&self) -> Size {
        let (width, height) = terminal::size().unwrap_or((80, 24));
        Size {
            width: usize::from(width.max(1)),
            height: usize::from(height.max(1)),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        restore();
    }
}

/// A terminal that is gone needs nothing.
fn restore() {
    let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
    let _ = terminal::disable_raw_mode();
}

/// A panic's message would be lost with the alternate screen.
fn restore_at_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
    });
}

fn read_keys(sender: &Sender<Asked>, closed: &AtomicBool) {
    while !closed.load(Ordering::Relaxed) {
        let read = match event::poll(PAUSE) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let asked = match read {
            Ok(event) => asked(&event),
            Err(_) => return,
        };
        if asked.is_some_and(|asked| sender.blocking_send(asked).is_err()) {
            return;
        }
    }
}

fn asked(event: &Event) -> Option<Asked> {
    let key = match event {
        Event::Resize(..) => return Some(Asked::Draw),
        Event::Key(key) if key.kind != KeyEventKind::Release => key,
        _ => return None,
    };
    match key {
        KeyEvent {
            code: KeyCode::Char('c'),
            modifiers,
            ..
        } if modifiers.contains(KeyModifiers::CONTROL) => Some(Asked::End),
        KeyEvent { code, .. } => match code {
            KeyCode::Char('q') | KeyCode::Esc => Some(Asked::End),
            KeyCode::Char('r') => Some(Asked::Again),
            KeyCode::Down | KeyCode::Char('j') => Some(Asked::Lines(1)),
            KeyCode::Up | KeyCode::Char('k') => Some(Asked::Lines(-1)),
            KeyCode::PageDown | KeyCode::Char(' ') => Some(Asked::Pages(1)),
            KeyCode::PageUp => Some(Asked::Pages(-1)),
            KeyCode::Home | KeyCode::Char('g') => Some(Asked::Begin),
            KeyCode::End | KeyCode::Char('G') => Some(Asked::Bottom),
            _ => None,
        },
    }
}
