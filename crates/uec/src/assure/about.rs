//! What the tester says about the system that is tried: it heads the report.

use assurance::evidence;
use clap::Args;

/// Longest name that is taken.
const MAX_NAME: usize = 120;

/// Product, version, supplier and tester.
#[derive(Args, Clone)]
pub struct About {
    /// Name of the product that is tried; it heads the report
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub product: Option<String>,
    /// Version of the product that is tried
    #[arg(long, value_name = "VERSION", value_parser = name)]
    pub version: Option<String>,
    /// Who makes the product
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub supplier: Option<String>,
    /// Who tries it
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub tester: Option<String>,
}

impl About {
    /// The same for the evidence.
    pub fn evidence(&self) -> evidence::About {
        evidence::About {
            product: self.product.clone(),
            version: self.version.clone(),
            supplier: self.supplier.clone(),
            tester: self.tester.clone(),
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err("it is empty".to_owned()),
        n if n > MAX_NAME => Err(format!("it has more than {MAX_NAME} characters")),
        _ if text.chars().any(char::is_control) => Err("it holds control characters".to_owned()),
        _ => Ok(text.to_owned()),
    }
}
