//! A streaming writer with everything that `secure_write` does.

use crate::atomic::AtomicFile;
use crate::error::{Code, Error, Result};
use crate::path::Location;
use crate::workspace::{ChangeOptions, Changed, Hold, Source, Spooled, Workspace};
use std::io::{self, Write};

/// Writes a file in pieces. Nothing is seen of it before [`commit`](SecureWriter::commit): then it is locked, versioned,
/// verified and replaced as by `secure_write`. Dropping it leaves everything as it was.
///
/// ```
/// use electrus::handler::AdvancedFileHandler;
/// use electrus::workspace::{ChangeOptions, OpenOptions};
/// use std::io::Write;
///
/// # let my_project = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(&my_project, &OpenOptions::default())?;
/// let mut writer = handler.writer("large.csv", ChangeOptions::default())?;
/// for row in 0..10_000 {
///     writeln!(writer, "{row}")?;
/// }
/// writer.commit()?;
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Debug)]
pub struct SecureWriter<'o> {
    workspace: Workspace,
    location: Location,
    options: ChangeOptions<'o>,
    temp: AtomicFile,
}

impl<'o> SecureWriter<'o> {
    pub(super) fn open(
        workspace: &Workspace,
        location: Location,
        options: ChangeOptions<'o>,
    ) -> Result<SecureWriter<'o>> {
        if workspace.options().read_only {
            return Err(Error::message(Code::ReadOnly, "the folder was opened read-only").at(location.path()));
        }
        let temp = workspace.temp(&location, &options, None)?;
        Ok(SecureWriter { workspace: workspace.clone(), location, options, temp })
    }

    /// The same writer, to be committed under another lock.
    pub fn under<'n>(self, hold: Hold<'n>) -> SecureWriter<'n>
    where
        'o: 'n,
    {
        let options: ChangeOptions<'n> = self.options;
        SecureWriter { options: ChangeOptions { hold, ..options }, ..self }
    }

    /// Lets the content take the name, and its version its place in history.
    ///
    /// # Errors
    /// Those of [`Workspace::write`].
    pub fn commit(self) -> Result<Changed> {
        self.workspace.write(self.location, Source::Spooled(Spooled(Box::new(self.temp))), self.options)
    }

    /// Gives up, and reports a failure to tidy up.
    ///
    /// # Errors
    /// What the system says to the removal, as `permission_denied` or `io`.
    pub fn abort(self) -> Result<()> {
        self.temp.abort()
    }
}

impl Write for SecureWriter<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.options.progress.check().map_err(io::Error::from)?;
        self.temp.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temp.flush()
    }
}
