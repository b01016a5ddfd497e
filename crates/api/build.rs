//! Lists the web client's built files (`web/dist`), so that they become part of the program. Without them
//! the program is built all the same. `PARLANCE_WEB_DIST` names another folder; setting it also makes a
//! build look again.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PARLANCE_WEB_DIST");
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist =
        env::var_os("PARLANCE_WEB_DIST").map_or_else(|| manifest.join("../../web/dist"), PathBuf::from);
    let mut lines = String::from("static WEB_FILES: &[(&str, &[u8])] = &[\n");
    if dist.is_dir() {
        println!("cargo::rerun-if-changed={}", dist.display());
        list(&dist.canonicalize()?, "", &mut lines)?;
    }
    lines.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("web_files.rs"), lines)
}

fn list(folder: &Path, prefix: &str, lines: &mut String) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &name, lines)?;
        } else {
            lines.push_str(&format!("    ({name:?}, include_bytes!({:?})),\n", entry.path()));
        }
    }
    Ok(())
}
