//! A certificate authority of one's own, and a certificate for this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use super::{give, run};

/// A root, and a certificate for `localhost` and `127.0.0.1` that it signed. Made by `openssl`.
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Makes both.
    ///
    /// # Errors
    /// When there is no `openssl`, or it refuses.
    pub fn make() -> Result<Certificates> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let root = ["-x509", "-days", "2", "-subj", "/CN=A root for tests"];
        let signing = ["-addext", "keyUsage=critical,keyCertSign"];
        let mut authority = openssl("req");
        authority.args(root).args(key).args(signing);
        run(authority.arg("-keyout").arg(at("root.key")).arg("-out").arg(at("root.crt")))?;
        let mut request = openssl("req");
        request.args(["-subj", "/CN=localhost"]).args(key);
        run(request.arg("-keyout").arg(at("server.key")).arg("-out").arg(at("server.csr")))?;
        std::fs::write(
            at("names"),
            "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
        )?;
        let mut sign = openssl("x509");
        sign.args(["-req", "-days", "2", "-CAcreateserial", "-extfile"]).arg(at("names"));
        sign.arg("-in")
            .arg(at("server.csr"))
            .arg("-CA")
            .arg(at("root.crt"))
            .arg("-CAkey")
            .arg(at("root.key"));
        run(sign.arg("-out").arg(at("server.crt")))?;
        Ok(Certificates { folder })
    }

    /// What a client trusts.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.crt")
    }

    /// Puts certificate and key where a server reads them.
    pub(super) fn install(&self, into: &Path) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        for name in ["server.crt", "server.key"] {
            let file = into.join(name);
            std::fs::copy(self.folder.path().join(name), &file)?;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
            give(&file)?;
        }
        Ok(())
    }
}

fn openssl(command: &str) -> Command {
    let mut openssl = Command::new("openssl");
    openssl.arg(command);
    openssl
}
