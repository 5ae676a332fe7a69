//! A PostgreSQL server for the tests of one process: Debian's programs in a temporary folder, reached
//! through a Unix socket. A shell watches over it: when this process is gone, for whatever reason, its end
//! of the pipe closes, and the shell stops the server and removes the folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// How long the server may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(60);

struct Server {
    folder: PathBuf,
    /// Holds the pipe that the watching shell reads.
    _watcher: Child,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The address of a new, empty database.
pub async fn new_database() -> String {
    let server = tokio::task::spawn_blocking(|| SERVER.get_or_init(start)).await.unwrap();
    let url = |name: &str| format!("postgres://parley@localhost/{name}?host={}", server.folder.display());
    let mut admin = connect(&url("postgres")).await;
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
    admin.close().await.unwrap();
    url(&name)
}

async fn connect(url: &str) -> PgConnection {
    let began = Instant::now();
    loop {
        match PgConnection::connect(url).await {
            Ok(connection) => return connection,
            Err(error) if began.elapsed() > START_TIMEOUT => panic!("PostgreSQL does not answer: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn start() -> Server {
    let programs = programs();
    let folder = tempfile::Builder::new().prefix("parley-postgres-").tempdir().unwrap().keep();
    let mut shell = as_ordinary_user(&folder);
    // Durability is not what these tests are about, and the folder is thrown away.
    let script = r#"
        "$1/initdb" -D "$2/data" -U parley --auth=trust --no-sync -E UTF8 --locale=C || exit 1
        "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=200 \
            -c fsync=off -c timezone=Asia/Kathmandu &
        server=$!
        read -r _
        kill -INT "$server"
        wait "$server"
        rm -rf "$2"
    "#;
    let log = fs::File::create(folder.join("log")).unwrap();
    let child = shell
        .args(["sh", "-c", script, "sh"])
        .arg(&programs)
        .arg(&folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    Server { folder, _watcher: child }
}

/// The folder of the newest installed server's programs.
fn programs() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").exists())
        .collect();
    versions.sort();
    let (_, newest) = versions.pop().expect(
        "PostgreSQL's server is needed for these tests and is not in /usr/lib/postgresql: \
         install Debian's package with `apt-get install postgresql`",
    );
    newest
}

/// PostgreSQL refuses to run as root: the start of a command that runs as someone else, who then owns the
/// folder.
fn as_ordinary_user(folder: &Path) -> Command {
    if number_of("-u", None) != Some(0) {
        return Command::new("env");
    }
    let (user, uid, gid) = ["postgres", "nobody"]
        .into_iter()
        .find_map(|user| Some((user, number_of("-u", Some(user))?, number_of("-g", Some(user))?)))
        .expect("there is a user postgres or nobody");
    std::os::unix::fs::chown(folder, Some(uid), Some(gid))
        .unwrap_or_else(|error| panic!("the folder cannot be given to the user {user}: {error}"));
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
    command
}

/// What `id` says.
fn number_of(what: &str, user: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(what).args(user).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
