//! Forwarding of ports, agent and displays, `~/.ssh/rc` and VS Code: as a user, a guest and a service principal, at an sshd that
//! is configured as on Azure's machines.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

use crate::world::{
    ADA, CONTOSO, DEPLOY, DEPLOY_SECRET, LIMIT, Running, World, free_address, options_with_sshd,
    package,
};

/// The profiles, each with the host alias of the same name, and their login names.
const LOGINS: [(&str, &str); 3] = [
    ("user", ADA),
    ("guest", "linus_fabrikam.example#ext#@contoso.example"),
    ("application", DEPLOY),
];

/// Returns a world in which `web01` is a host of each profile, and `web02` is there to go on to.
fn world() -> World {
    let world = World::with(options_with_sshd(&["web01", "web02"]));
    world.login_as(ADA, &["--profile", "user"]);
    let guest = ["--profile", "guest", "--tenant", CONTOSO];
    world.login_as("linus@fabrikam.example", &guest);
    world
        .command(&["login", "--service-principal", "--client-id", DEPLOY])
        .args(["--tenant", CONTOSO, "--profile", "application"])
        .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
        .run()
        .succeeded();
    for (profile, login) in LOGINS {
        let add = ["--profile", profile, "config", "add", "web01", "--alias"];
        let hosts = world.json(&[&add[..], &[profile]].concat());
        assert_eq!(hosts[0]["user"], login);
    }
    world
}

/// A script that runs on the machine.
fn script(name: &str) -> PathBuf {
    package().join("tests/cli/forwarding").join(name)
}

/// Says `here` to each caller, for as long as the test runs.
fn serve() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for caller in listener.incoming() {
            caller.unwrap().write_all(b"here\n").unwrap();
        }
    });
    port
}

/// Reads until the other side closes the connection.
fn read_all(mut connection: impl std::io::Read) -> String {
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    text
}

fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    connection
}

/// Connects by a SOCKS proxy (RFC 1928) to a port of the machine's own.
fn connect_through_socks(proxy: SocketAddr, port: u16) -> TcpStream {
    let mut connection = connect(proxy);
    let [high, low] = port.to_be_bytes();
    connection.write_all(&[5, 1, 0]).unwrap();
    let mut method = [0; 2];
    connection.read_exact(&mut method).unwrap();
    assert_eq!(method, [5, 0]);
    let request = [5, 1, 0, 1, 127, 0, 0, 1, high, low];
    connection.write_all(&request).unwrap();
    let mut reply = [0; 10];
    connection.read_exact(&mut reply).unwrap();
    assert_eq!(reply[1], 0, "{reply:?}");
    connection
}

/// Returns the number between two texts, once it is there.
fn number_between(text: &str, before: &str, after: &str) -> Option<u16> {
    let (_, rest) = text.split_once(before)?;
    let (number, _) = rest.split_once(after)?;
    number.parse().ok()
}

#[test]
fn ports_are_forwarded_for_every_kind_of_login() {
    let (world, service) = (world(), serve());
    for (host, _) in LOGINS {
        let (local, socks) = (free_address(), free_address());
        let mut session = world
            .ssh_command(&["-N", "-o", "ExitOnForwardFailure=yes", host])
            .args(["-L", &format!("{local}:127.0.0.1:{service}")])
            .args(["-R", &format!("127.0.0.1:0:127.0.0.1:{service}")])
            .args(["-D", &socks.to_string()])
            .start();
        let remote = session.wait_until("the port of the machine", |session| {
            number_between(&session.stderr(), "Allocated port ", " ")
        });
        assert_eq!(read_all(connect(local)), "here\n", "-L as {host}");
        assert_eq!(
            read_all(connect((Ipv4Addr::LOCALHOST, remote).into())),
            "here\n",
            "-R as {host}"
        );
        let through = connect_through_socks(socks, service);
        assert_eq!(read_all(through), "here\n", "-D as {host}");
    }
}

#[test]
fn the_agent_is_forwarded_for_every_kind_of_login_as_far_as_its_profile_allows() {
    let world = world();
    let next = world.port("web02");
    for (host, login) in LOGINS {
        let listed = world.ssh_command(&["-A", host, "ssh-add -l"]).run();
        assert_eq!(
            listed.stdout, "The agent has no identities.\n",
            "{listed}: it is there, and shows nothing"
        );
        world.json(&["--profile", host, "cert", "--forwardable", "yes"]);
        let onwards = format!(
            "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p {next} \
             -l '{login}' 127.0.0.1 id -un"
        );
        let output = world.ssh_command(&["-A", host, &onwards]).run();
        output.succeeded();
        assert_eq!(output.stdout, format!("{login}\n"), "{output}");
        world.json(&["--profile", host, "cert", "--forwardable", "no"]);
    }
}

/// A display that lets one client in and says a word to it; returns its number, and the client's set-up request.
fn display() -> (u16, thread::JoinHandle<Vec<u8>>) {
    let (number, listener) = (200..60_000)
        .find_map(|number| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 6000 + number)).ok()?;
            Some((number, listener))
        })
        .unwrap();
    let client = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        // The head, the name of MIT-MAGIC-COOKIE-1 with two bytes of padding, and the cookie.
        let mut request = vec![0; 12 + 20 + 16];
        client.read_exact(&mut request).unwrap();
        client.write_all(b"the display\n").unwrap();
        request
    });
    (number, client)
}

#[test]
fn displays_are_forwarded_for_every_kind_of_login() {
    let world = world();
    for (host, _) in LOGINS {
        let (number, client) = display();
        let command = format!("python3 '{}'", script("x11_client.py").display());
        let output = world
            .ssh_command(&["-Y", host, &command])
            .env("DISPLAY", format!("127.0.0.1:{number}"))
            .run();
        output.succeeded();
        assert_eq!(output.stdout, "the display\n", "{output}");
        let request = client.join().unwrap();
        assert_eq!(&request[12..30], b"MIT-MAGIC-COOKIE-1");
    }
}

#[test]
fn the_users_rc_file_runs_for_every_kind_of_login() {
    let world = world();
    for (host, login) in LOGINS {
        let write = "mkdir -p ~/.ssh && echo 'echo the rc of $USER >&2' > ~/.ssh/rc";
        world.ssh(host, write).succeeded();
        let output = world.ssh(host, "echo in");
        output.printed("in\n");
        let told = format!("the rc of {login}\n");
        assert!(output.stderr.contains(&told), "{output}");
    }
}

/// Opens a window as VS Code does: a shell without a terminal that starts the server unless it runs, says where it listens, and
/// stays; the window reaches the server by the SOCKS proxy of the same ssh.
fn open_window(world: &World, host: &str) -> Window {
    let socks = free_address();
    let mut session = world
        .ssh_command(&["-v", "-T", "-D", &socks.to_string()])
        .args(["-o", "ConnectTimeout=120", host, "bash"])
        .open_stdin()
        .start();
    let server = script("vscode_server.py");
    let install = format!(
        "mkdir -p ~/.vscode-server && cd ~/.vscode-server\n\
         if ! [ -s pid ] || ! kill -0 $(cat pid); then rm -f port\n\
         nohup python3 '{}' '{}' </dev/null >log 2>&1 &\n\
         fi\n\
         until [ -s port ]; do sleep 0.1; done\n\
         echo \"listeningOn==$(cat port)==\"\n\
         cat >/dev/null\n",
        server.display(),
        server_socket(world, host).display()
    );
    session.write(install.as_bytes());
    let server = session.wait_until("the server", |session| {
        number_between(&session.stdout(), "listeningOn==", "==\n")
    });
    Window {
        session,
        socks,
        server,
    }
}

/// Where the server listens beside its port: in its home the path might be too long for a socket.
fn server_socket(world: &World, host: &str) -> PathBuf {
    world.root().join(format!("{host}-server.sock"))
}

struct Window {
    session: Running,
    socks: SocketAddr,
    server: u16,
}

impl Window {
    fn ask(&self) -> String {
        read_all(connect_through_socks(self.socks, self.server))
    }
}

#[test]
fn what_vs_code_does_works_for_every_kind_of_login() {
    let world = world();
    for (host, login) in LOGINS {
        world.program("ssh").arg("-V").run().succeeded();
        let window = open_window(&world, host);
        let greeting = format!("the server of {login}\n");
        // Its windows, terminals and extensions have a connection each.
        for _ in 0..5 {
            assert_eq!(window.ask(), greeting);
        }
        // Without dynamic forwarding each port has an ssh of its own; the server may listen on a socket, too.
        let (local, socket) = (free_address(), world.root().join(format!("{host}.sock")));
        let there = server_socket(&world, host);
        let mut forwarding = world
            .ssh_command(&["-N", "-o", "ExitOnForwardFailure=yes", host])
            .args(["-L", &format!("{local}:127.0.0.1:{}", window.server)])
            .args(["-L", &format!("{}:{}", socket.display(), there.display())])
            .start();
        forwarding.wait_until("the socket", |_| socket.exists().then_some(()));
        assert_eq!(read_all(connect(local)), greeting);
        let connection = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        assert_eq!(read_all(connection), greeting);
        drop(forwarding);
        // The connection breaks; the server lives on, and the window comes back to it.
        let server = window.server;
        drop(window);
        let mut window = open_window(&world, host);
        assert_eq!(window.server, server);
        assert_eq!(window.ask(), greeting);
        window.session.close_stdin();
        window.session.finish().succeeded();
        world
            .ssh(host, "kill $(cat ~/.vscode-server/pid)")
            .succeeded();
    }
}
