//! Whether everything that is shipped may be shipped under Apache-2.0.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::count::Count;
use crate::paths;
use crate::report::{Outcome, Verdict};

/// Licences that do not ask for more than ours.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "blessing",
];

/// Checks the licence of every crate and of every npm package of the client that is not for its tests.
pub(crate) fn check() -> Result<Verdict> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(paths::root())
        .output()?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let mut refused = Vec::new();
    let crates = metadata.get("packages").and_then(Value::as_array).context("packages")?;
    for package in crates {
        judge(text(package, "name"), text(package, "license"), &mut refused);
    }
    let mut modules = 0;
    let lock = paths::root().join("web/package-lock.json");
    if lock.is_file() {
        let lock: Value = serde_json::from_str(&std::fs::read_to_string(lock)?)?;
        for (name, package) in lock.get("packages").and_then(Value::as_object).into_iter().flatten() {
            if name.is_empty() || package.get("dev").is_some() {
                continue;
            }
            modules += 1;
            judge(name, text(package, "license"), &mut refused);
        }
    }
    println!("    {} crates and {modules} shipped npm packages", crates.len());
    for line in &refused {
        println!("    {line}");
    }
    let count =
        Count { passed: u64::from(refused.is_empty()), failed: u64::from(!refused.is_empty()), skipped: 0 };
    Ok(Verdict::Ran(count, Outcome::note(refused.join(", "))))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn judge(name: &str, licence: &str, refused: &mut Vec<String>) {
    if !allowed(licence) {
        refused.push(format!("{name}: {licence:?}"));
    }
}

/// Whether an SPDX expression offers a way that is allowed. `/` is Cargo's old `OR`.
fn allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    if let Some(parts) = split(expression, " OR ") {
        return parts.iter().any(|part| allowed(part));
    }
    if let Some(parts) = split(expression, " AND ") {
        return parts.iter().all(|part| allowed(part));
    }
    match expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => allowed(inner),
        None => ALLOWED.contains(&expression),
    }
}

/// Splits at an operator outside of parentheses; none if there is none.
fn split(expression: &str, operator: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    let mut rest = expression;
    while let Some(letter) = rest.chars().next() {
        if depth == 0
            && let Some(after) = rest.strip_prefix(operator)
        {
            parts.push(String::new());
            rest = after;
            continue;
        }
        depth = match letter {
            '(' => depth + 1,
            ')' => depth.saturating_sub(1),
            _ => depth,
        };
        parts.last_mut()?.push(letter);
        rest = rest.get(letter.len_utf8()..)?;
    }
    (parts.len() > 1).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn expressions_are_read() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "MIT OR GPL-3.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND AGPL-3.0"] {
            assert!(!allowed(bad), "{bad}");
        }
    }
}
