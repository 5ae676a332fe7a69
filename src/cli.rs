//! The command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, SETTINGS, Sources};

#[derive(Debug, Parser)]
#[command(
    name = "parley",
    version,
    about = "Consultations by video: booking, waiting room and SFU in one program"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process.
    Serve(ConfigArgs),
    /// Check the configuration and print it, without secrets.
    #[command(after_help = settings_help())]
    Config(ConfigArgs),
    /// Print an access token for the LiveKit-compatible protocol.
    Token(TokenArgs),
    /// Drive a LiveKit-compatible server with synthetic peers and report how it did.
    Loadtest(Box<crate::loadtest::LoadArgs>),
}

/// Where settings come from. Later ones win: file, PARLEY_… variables, flags.
#[derive(Debug, Args)]
#[command(after_help = settings_help())]
struct ConfigArgs {
    /// TOML file with settings.
    #[arg(long, env = "PARLEY_CONFIG")]
    config: Option<PathBuf>,
    /// Development: plain HTTP on 127.0.0.1:7880, API key devkey, secret secret.
    #[arg(long)]
    dev: bool,
    /// Make a demo practice on first start and print its logins.
    #[arg(long)]
    demo: bool,
    /// Folder of the database, certificate and keys.
    #[arg(long, value_name = "FOLDER")]
    data: Option<String>,
    /// What people's links begin with.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Plain HTTP listener, or off.
    #[arg(long, value_name = "ADDRESS:PORT")]
    http_listen: Option<String>,
    /// HTTPS listener, or off.
    #[arg(long, value_name = "ADDRESS:PORT")]
    https_listen: Option<String>,
    /// First UDP port of media; 0 = any free one.
    #[arg(long, value_name = "PORT")]
    media_udp_port: Option<String>,
    /// Any setting by its key.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Args)]
struct TokenArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[arg(long)]
    room: String,
    #[arg(long)]
    identity: String,
    /// Name shown to others; the identity when absent.
    #[arg(long)]
    name: Option<String>,
    /// Minutes until the token expires.
    #[arg(long, default_value_t = 60)]
    valid_minutes: u64,
}

impl ConfigArgs {
    fn sources(&self) -> Sources {
        let mut sources = Sources::default();
        if let Some(path) = &self.config {
            sources.add_file(path);
        }
        sources.add_environment(std::env::vars());
        for (key, value, flag) in [
            ("data", &self.data, "--data"),
            ("public_url", &self.public_url, "--public-url"),
            ("http.listen", &self.http_listen, "--http-listen"),
            ("https.listen", &self.https_listen, "--https-listen"),
            ("media.udp_port", &self.media_udp_port, "--media-udp-port"),
        ] {
            if let Some(value) = value {
                sources.add_flag(key, value, flag);
            }
        }
        for (key, given, flag) in [("dev", self.dev, "--dev"), ("demo", self.demo, "--demo")] {
            if given {
                sources.add_flag(key, "true", flag);
            }
        }
        for pair in &self.set {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            sources.add_flag(key.trim(), value, "--set");
        }
        sources
    }
}

fn settings_help() -> String {
    let mut help = String::from(
        "Settings (file key; variable PARLEY_KEY_WITH_UNDERSCORES; any key + _file reads it from a file):\n",
    );
    for setting in SETTINGS {
        help.push_str(&format!("  {:<18} {} [{}]\n", setting.key, setting.help, setting.default));
    }
    help
}

/// Runs the command line; mistakes go to standard error, one clear text.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.command {
        Command::Serve(args) => {
            load(args).and_then(|config| crate::serve::run(config).map_err(|e| e.to_string()))
        }
        Command::Config(args) => load(args).map(|config| print_line(&format!("{config:#?}"))),
        Command::Token(args) => token(args),
        Command::Loadtest(args) => crate::loadtest::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            fail_line(&message);
            ExitCode::FAILURE
        }
    }
}

fn load(args: &ConfigArgs) -> Result<Config, String> {
    Config::load(&args.sources()).map_err(|errors| errors.to_string())
}

fn token(args: &TokenArgs) -> Result<(), String> {
    let config = load(&args.config)?;
    let keys = crate::keys::Keys::load_or_make(&config).map_err(|error| error.to_string())?;
    let minter = keys.minter();
    let name = args.name.as_deref().unwrap_or(&args.identity);
    let valid = std::time::Duration::from_secs(args.valid_minutes.saturating_mul(60));
    let token = crate::adapters::join_token(&minter, &args.room, &args.identity, name, valid);
    token.map(|token| print_line(&token)).map_err(|error| error.to_string())
}

/// The one place that writes to standard output.
#[allow(clippy::print_stdout)]
pub fn print_line(text: &str) {
    println!("{text}");
}

#[allow(clippy::print_stderr)]
fn fail_line(text: &str) {
    eprintln!("parley: {text}");
}
