//! What a file keeps when another takes its place: owner, mode, access control list, extended attributes.

use super::{Stat, set_mode, stat_file};
use rustix::fs;
use rustix::io::Errno;
use std::fs::File;
use std::io;

/// Gives `to`, which is private so far, what `from` has: owner, access control list and extended attributes, and at last
/// the mode. With `mode` given, that is all of the rights: neither the old mode nor the old list is kept. What the system
/// forbids is left out, never made up for by wider rights.
pub fn keep_attributes(from: &File, to: &File, mode: Option<u32>) -> io::Result<()> {
    let old = stat_file(from)?;
    let kept = keep_owner(&old, &stat_file(to)?, to)?;
    // A list that speaks of another group, or is wider than `mode`, must not hold even for a moment.
    xattrs::keep(from, to, kept.group && mode.is_none())?;
    set_mode(to, mode.unwrap_or_else(|| kept.mode(old.mode)))
}

/// Whose the file became.
struct Kept {
    owner: bool,
    group: bool,
}

impl Kept {
    /// Without the owner, setuid and setgid would lend another's rights. Without the group, what was meant for its
    /// members must not go to those of another: they get what everybody has.
    fn mode(&self, mode: u32) -> u32 {
        let others = (mode & 0o007) << 3;
        match (self.owner, self.group) {
            (true, true) => mode,
            (false, true) => mode & 0o777,
            (_, false) => mode & (0o707 | others),
        }
    }
}

fn keep_owner(old: &Stat, new: &Stat, to: &File) -> io::Result<Kept> {
    let mut kept = Kept { owner: old.uid == new.uid, group: old.gid == new.gid };
    let uid = (!kept.owner).then(|| fs::Uid::from_raw(old.uid));
    let gid = (!kept.group).then(|| fs::Gid::from_raw(old.gid));
    if kept.owner && kept.group {
        return Ok(kept);
    }
    if allowed(fs::fchown(to, uid, gid))? {
        return Ok(Kept { owner: true, group: true });
    }
    // Who may not give a file away may still give it to a group of theirs.
    kept.group = kept.group || allowed(fs::fchown(to, None, gid))?;
    Ok(kept)
}

fn allowed(answer: Result<(), Errno>) -> io::Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        // EINVAL: an owner that this user namespace cannot express.
        Err(Errno::PERM | Errno::INVAL | Errno::NOTSUP) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod xattrs {
    use super::*;
    use rustix::fs::XattrFlags;
    use std::ffi::CStr;
    use std::os::fd::AsRawFd;

    const ACL: &CStr = c"system.posix_acl_access";
    /// What Linux allows for one value and for all names.
    const LIMIT: usize = 65536;
    const FIRST: usize = 1024;

    /// Copies every attribute that belongs to the content rather than to the inode; the access control list if `with_acl`.
    pub fn keep(from: &File, to: &File, with_acl: bool) -> io::Result<()> {
        let names = names(from)?;
        let mut acl = false;
        for name in names.split_inclusive(|b| *b == 0).filter_map(|n| CStr::from_bytes_with_nul(n).ok()) {
            if name != ACL || with_acl {
                acl |= name == ACL;
                copy(from, to, name)?;
            }
        }
        if acl { Ok(()) } else { drop_inherited_acl(to) }
    }

    /// A folder's default list may have come over to the new file: the one that it replaces had none.
    fn drop_inherited_acl(to: &File) -> io::Result<()> {
        if !names(to)?.split(|b| *b == 0).any(|n| n == ACL.to_bytes()) {
            return Ok(());
        }
        match fs::fremovexattr(to, ACL) {
            Ok(()) | Err(Errno::NODATA) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    enum Rule {
        Keep,
        /// Kept where the system's policy lets us.
        Try,
        /// Never: rights that a program has, and the notes of other layers.
        Leave,
    }

    #[cfg(not(target_vendor = "apple"))]
    fn rule(name: &CStr) -> Rule {
        match name.to_bytes() {
            n if n.starts_with(b"user.") || name == ACL => Rule::Keep,
            b"security.selinux" | b"security.SMACK64" | b"system.nfs4_acl" => Rule::Try,
            _ => Rule::Leave,
        }
    }

    #[cfg(target_vendor = "apple")]
    fn rule(_name: &CStr) -> Rule {
        Rule::Try
    }

    fn copy(from: &File, to: &File, name: &CStr) -> io::Result<()> {
        let must = match rule(name) {
            Rule::Keep => true,
            Rule::Try => false,
            Rule::Leave => return Ok(()),
        };
        let answer = value(from, name).and_then(|v| fs::fsetxattr(to, name, &v, XattrFlags::empty()));
        match answer {
            // NODATA: it was taken away meanwhile; ACCESS: not ours to read.
            Ok(()) | Err(Errno::ACCESS) => Ok(()),
            #[cfg(not(target_vendor = "apple"))]
            Err(Errno::NODATA) => Ok(()),
            Err(Errno::PERM | Errno::NOTSUP | Errno::INVAL) if !must => Ok(()),
            #[cfg(target_vendor = "apple")]
            Err(_) => Ok(()),
            #[cfg(not(target_vendor = "apple"))]
            Err(e) => Err(e.into()),
        }
    }

    fn names(file: &File) -> io::Result<Vec<u8>> {
        let listed = sized(|buffer| match fs::flistxattr(file, &mut *buffer) {
            Err(Errno::BADF) => fs::listxattr(by_number(file), buffer),
            listed => listed,
        });
        match listed {
            Err(Errno::NOTSUP) => Ok(Vec::new()),
            listed => Ok(listed?),
        }
    }

    fn value(file: &File, name: &CStr) -> Result<Vec<u8>, Errno> {
        sized(|buffer| match fs::fgetxattr(file, name, &mut *buffer) {
            Err(Errno::BADF) => fs::getxattr(by_number(file), name, buffer),
            value => value,
        })
    }

    /// A file that we may not read is open as a mere place (`O_PATH`), which these calls take by this name only.
    fn by_number(file: &File) -> String {
        format!("/proc/self/fd/{}", file.as_raw_fd())
    }

    fn sized(mut fill: impl FnMut(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
        let mut small = [0; FIRST];
        match fill(&mut small) {
            Ok(length) => Ok(small[..length].to_vec()),
            Err(Errno::RANGE) => {
                let mut buffer = vec![0; LIMIT];
                let length = fill(&mut buffer)?;
                buffer.truncate(length);
                Ok(buffer)
            }
            Err(e) => Err(e),
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod xattrs {
    use super::*;

    pub fn keep(_from: &File, _to: &File, _with_acl: bool) -> io::Result<()> {
        Ok(())
    }
}
