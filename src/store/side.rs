//! Folders inside the store that belong to other rooms.

use super::Store;
use crate::error::Result;
use crate::sys::Dir;
use std::ffi::OsStr;
use std::fs::File;

impl Store {
    /// Opens such a folder, creating it (and the store) if asked to.
    pub(crate) fn side_folder(&self, name: &str, create: bool) -> Result<Option<Dir>> {
        match create {
            true => self.0.with_created_view(|view| view.layout.optional_folder(name, true)),
            false => self.0.with_view(|view| match view {
                Some(view) => view.layout.optional_folder(name, false),
                None => Ok(None),
            }),
        }
    }

    /// Creates a new file in such a folder, with the store's mode.
    pub(crate) fn create_in(&self, folder: &Dir, folder_name: &str, name: &OsStr) -> Result<File> {
        let path = self.path().join(folder_name).join(name);
        self.0.with_created_view(|view| view.layout.create_file(folder, name, &path))
    }
}
