//! Makes the C header from the exports and gives the shared library its SONAME.

#[cfg(feature = "capi")]
#[path = "build/header.rs"]
mod header;

#[cfg(not(feature = "capi"))]
fn main() {}

#[cfg(feature = "capi")]
fn main() {
    use std::env;
    use std::path::Path;
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    println!("cargo:rerun-if-changed=src/ffi");
    println!("cargo:rerun-if-changed=build/header.rs");
    header::header(Path::new(&root)).write_to_file(Path::new(&out).join("electrus.h"));
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        let major = env::var("CARGO_PKG_VERSION_MAJOR").expect("cargo sets it");
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libelectrus.so.{major}");
    }
}
