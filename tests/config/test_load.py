from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.config.bundle import Bundle, read_bundle
from gateway.config.load import load, policy_from
from gateway.config.problems import ConfigError
from gateway.core.record import Kind
from gateway.core.route import Declared, Route
from gateway.core.tls import Channel
from gateway.flow.options import QueueOptions, Refusals
from gateway.listeners.options import AdminOptions, Allow, SmtpOptions
from gateway.net.dns import DnsOptions
from gateway.transports.mx import Mx, MxOptions
from gateway.transports.smarthost import Smarthost
from tests.fixtures.council import HOP_KEY, change, council


def problems(config: Path) -> list[str]:
    """What is found, each without the folder of the test."""
    with pytest.raises(ConfigError) as caught:
        load(read_bundle(config))
    return [str(problem).replace(f"{config.parent}/", "") for problem in caught.value.problems]


def test_the_documented_example_loads_without_a_warning(tmp_path: Path) -> None:
    loaded = load(read_bundle(council(tmp_path)))
    settings = loaded.settings
    assert loaded.warnings == ()
    assert settings.hostname == "gateway.council.example"
    assert settings.policy == tmp_path / "policies/council.toml"
    assert settings.workers == 0
    assert settings.admin == AdminOptions(host="127.0.0.1", port=9125)
    assert settings.hop_key == HOP_KEY
    assert settings.dns == DnsOptions(nameservers=("127.0.0.1:53",))
    assert settings.tls_ca == "system"
    assert settings.mx == MxOptions(port=25)
    assert settings.spool_dir == Path("/var/spool/sealpost")
    assert settings.queue == QueueOptions()
    assert settings.internal_networks == (ip_network("10.0.0.0/8"),)
    assert settings.system == {
        Kind.REPORT: "internal",
        Kind.NOTICE: "internal",
        Kind.NOTIFICATION: "opportunistic",
        Kind.CODE: "opportunistic",
        Kind.REPLY: "internal",
    }
    assert settings.log_level == "info"


def test_the_examples_listener_admits_by_network_or_by_name_and_header(tmp_path: Path) -> None:
    settings = load(read_bundle(council(tmp_path))).settings
    assert settings.smtp == (
        SmtpOptions(
            name="[::]:25",
            host="::",
            port=25,
            certificate=tmp_path / "certs/gateway.pem",
            client_ca="system",
            refusals=Refusals.REPORT,
            allow=(
                Allow(networks=(ip_network("10.0.0.0/8"),)),
                Allow(
                    client_name="mail.protection.outlook.com",
                    require_header={
                        "X-OriginatorOrg": (b"council.example",),
                        "X-Council-Relay": (b"first secret", b"second secret"),
                    },
                ),
            ),
        ),
    )


def test_the_examples_routes_are_read_each_with_its_transports_options(tmp_path: Path) -> None:
    settings = load(read_bundle(council(tmp_path))).settings
    assert list(settings.routes) == ["internal", "opportunistic", "tls", "secure", "cjsm", "encrypted"]
    assert settings.routes["tls"] == Route(
        name="tls", transport="mx", demands=Channel.ENCRYPTED, give_up_after=timedelta(hours=48)
    )
    assert settings.routes["internal"].declared is Declared.INTERNAL
    assert settings.routes["encrypted"] == Route(
        name="encrypted",
        transport="smarthost",
        demands=Channel.PKIX,
        declared=Declared.SEALED,
        max_attachments=13_631_488,
        add_header=(("X-Council-Encrypt", "yes"),),
    )
    assert settings.transport_options["tls"] == Mx.Options()
    assert settings.transport_options["cjsm"] == Smarthost.Options(
        host="relay.cjsm.example:25", client_certificate=tmp_path / "certs/cjsm.pem"
    )


def test_no_secret_is_shown(tmp_path: Path) -> None:
    config = council(tmp_path)
    change(config, ('max_attachments = "13MiB"', 'username = "u"\npassword = "file:certs/relay-secret"'))
    settings = load(read_bundle(config)).settings
    assert settings.transport_options["encrypted"] == Smarthost.Options(
        host="council-example.mail.protection.outlook.com:25", username="u", password="first secret"
    )
    assert "first secret" not in repr(settings)
    assert repr(HOP_KEY) not in repr(settings)


def test_every_setting_can_be_given(tmp_path: Path) -> None:
    config = council(tmp_path)
    change(
        config,
        ('refusals    = "report"', 'refusals = "session"\nname = "front"\nprivate_key = "certs/k"\ntimeout = "9s"'),
        ('client_ca   = "system"', 'client_ca = "certs/ca"\nmax_message = "2MiB"\nmax_recipients = 101'),
        ("trust_ad    = false", 'trust_ad = true\ntimeout = "3s"'),
        ('ca = "system"', 'ca = "certs/ca"'),
        (
            'door_wait = "5s"',
            'door_wait = "7s"\nnotice_after = "2h"\nretry_min = "1m"\nretry_max = "2m"\nin_flight = 7',
        ),
        ('url = "sqlite:///var/spool/sealpost"', 'url = "sqlite:spool"\n[log]\nlevel = "debug"'),
    )
    settings = load(read_bundle(config)).settings
    listener = settings.smtp[0]
    assert (listener.name, listener.refusals, listener.timeout) == ("front", Refusals.SESSION, timedelta(seconds=9))
    assert (listener.private_key, listener.client_ca) == (tmp_path / "certs/k", tmp_path / "certs/ca")
    assert (listener.max_message, listener.max_recipients) == (2 * 1024 * 1024, 101)
    assert settings.dns == DnsOptions(nameservers=("127.0.0.1:53",), trust_ad=True, timeout=timedelta(seconds=3))
    assert settings.tls_ca == tmp_path / "certs/ca"
    assert settings.queue == QueueOptions(
        door_wait=timedelta(seconds=7),
        notice_after=timedelta(hours=2),
        retry_min=timedelta(minutes=1),
        retry_max=timedelta(minutes=2),
        in_flight=7,
    )
    assert settings.spool_dir == tmp_path / "spool"
    assert settings.log_level == "debug"


def test_a_configuration_without_admin_has_none(tmp_path: Path) -> None:
    config = council(tmp_path)
    change(config, ('[listen.admin]\naddress = "127.0.0.1:9125"', ""))
    assert load(read_bundle(config)).settings.admin is None


def test_a_worker_gets_the_same_from_the_pipe(tmp_path: Path) -> None:
    bundle = read_bundle(council(tmp_path))
    assert load(Bundle.from_bytes(bundle.to_bytes())) == load(bundle)


def test_problems_of_both_files_come_together(tmp_path: Path) -> None:
    config = council(tmp_path)
    change(config, ("workers  = 0", "workers = -1"))
    change(tmp_path / "policies/council.toml", ('postmaster = "postmaster@council.example"', 'postmaster = "nobody"'))
    assert problems(config) == [
        "sealpost.toml: workers: this should be greater than or equal to 0",
        "policies/council.toml: organisation.postmaster: "
        "`nobody` is not an address: an address needs exactly one @ after the local part",
    ]


@pytest.mark.parametrize("name", ["certs/hop.key", "certs/relay-secret-next", "policies/council.toml"])
def test_a_missing_file_is_a_problem_of_the_key_that_names_it(tmp_path: Path, name: str) -> None:
    config = council(tmp_path)
    (tmp_path / name).unlink()
    found = problems(config)
    assert len(found) == 1
    assert f"the file `{name}` cannot be read: No such file or directory" in found[0]


def test_a_short_hop_key_is_refused(tmp_path: Path) -> None:
    config = council(tmp_path)
    (tmp_path / "certs/hop.key").write_bytes(b"x" * 15)
    assert problems(config) == [
        "sealpost.toml: secrets.hop: the key has 15 bytes, it needs 16; `sealpost certs` makes one"
    ]
    (tmp_path / "certs/hop.key").write_bytes(b"x" * 16)
    assert load(read_bundle(config)).settings.hop_key == b"x" * 16


def test_our_own_mail_needs_routes_that_exist_and_should_stay_inside(tmp_path: Path) -> None:
    config = council(tmp_path)
    change(config, ('reports       = "internal"', 'reports = "opportunistic"'))
    assert [str(warning) for warning in load(read_bundle(config)).warnings] == [
        f"{config}: system.reports: the route `opportunistic` is not internal, so our own mail may travel unprotected"
    ]
    change(config, ('codes         = "opportunistic"', 'codes = "oportunistic"'))
    assert problems(config) == [
        "sealpost.toml: system.codes: unknown route `oportunistic`, did you mean `opportunistic`?"
    ]


def test_retries_cannot_start_above_their_ceiling(tmp_path: Path) -> None:
    config = council(tmp_path)
    change(config, ('door_wait = "5s"', 'retry_min = "3h"'))
    assert problems(config) == ["sealpost.toml: queue.retry_min: this is longer than queue.retry_max"]


def test_a_name_server_is_an_address(tmp_path: Path) -> None:
    config = council(tmp_path)
    change(config, ('["127.0.0.1:53"]', '["ns.example"]'))
    assert problems(config)[0].startswith("sealpost.toml: dns.nameservers: ")


def test_a_kept_policy_is_read_again_even_if_its_routes_are_gone(tmp_path: Path) -> None:
    config = council(tmp_path)
    loaded = load(read_bundle(config))
    kept = read_bundle(config).policy_bytes
    assert policy_from(kept, loaded.settings) == loaded.policy
    again = policy_from(kept.replace(b'["secure", "encrypted"]', b'["vanished"]'), loaded.settings)
    assert again.hash != loaded.policy.hash
    with pytest.raises(ConfigError, match="the kept policy"):
        policy_from(b"nonsense", loaded.settings)


def test_a_host_name_is_one(tmp_path: Path) -> None:
    config = council(tmp_path)
    change(config, ('hostname = "gateway.council.example"', 'hostname = "gate way"'))
    assert problems(config) == ["sealpost.toml: hostname: the domain is not a host name"]
