//! What becomes of the answers to the template's questions.

use integration_tests::generate::generate;

#[test]
fn a_project_is_generated_without_an_answer() {
    let project = generate(&[]).unwrap();
    let manifest = project.read("Cargo.toml").unwrap();
    assert!(manifest.starts_with("[package]\nname = \"my-mapper\"\n"), "{manifest}");
}
