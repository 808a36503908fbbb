//! The README shows what is in the repository.

#[test]
fn first_code_is_the_quickstart() {
    let (readme, quickstart) = (include_str!("../README.md"), include_str!("../examples/quickstart.rs"));
    let code = &quickstart[quickstart.find("use wane").expect("the example uses the crate")..];
    assert!(readme.contains(&format!("```rust\n{code}```")), "README.md and examples/quickstart.rs differ");
}

/// Every file that the README links to is there.
#[test]
fn links_lead_somewhere() {
    let links = include_str!("../README.md").split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files: Vec<_> = links.filter(|link| !link.starts_with("http")).collect();
    assert!(files.len() > 4, "{files:?}");
    for file in files {
        assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{file} is not there");
    }
}
