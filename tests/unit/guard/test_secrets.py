"""Secrets are found by their forms, and nothing else is."""

import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quipu_server.guard.secrets import find_secrets
from tests.unit.guard.sentences import SENTENCES

SAMPLE = files("quipu_server").joinpath("samples/expedition.jsonl").read_text("utf-8")

# Examples of the makers' own pages, or made up in the form that those describe; none opens anything. They are put
# together here, so that scanners of repositories do not take them for real.
SECRETS = [
    ("aws_access_key", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("aws_access_key", "ASIA" + "IOSFODNN7EXAMPLE"),
    ("aws_secret_key", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"),
    ("gcp_api_key", "AIza" + "SyD9tSrke72PouQMnMXa7eZSW0jkFMBWYab"),
    ("gcp_token", "ya29." + "a0AfH6SMBx7Yt3kq9wLmN2pRsT"),
    ("gcp_token", "GOCSPX-" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4"),
    ("azure_key", "AccountName=x;AccountKey=" + "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1" * 2 + "bQ7uSRZ6IFsuFq2UVErCz4==;"),
    ("azure_token", "https://x.blob.core.windows.net/c?sv=2022&sig=" + "Z%2FRHIX5Xcg0Mq2rqI3OlWTjEg2tYkboXr1P9ZUXD%3D"),
    ("azure_client_secret", "abc8Q~" + "defghijklmnopqrstuvwxyz012345678"),
    ("github_token", "ghp_" + "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"),
    ("github_token", "github_pat_" + "11ABCDEFG0123456789012_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("gitlab_token", "glpat-" + "x7Yt3kq9wLmN2pRsTuVw"),
    ("slack_token", "xoxb-" + "123456789012-abcdefghijkl"),
    ("slack_webhook", "https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"),
    ("llm_api_key", "sk-" + "proj-aB3dE5fG7hI9jK1lM3nO5pQ7rS9"),
    ("llm_api_key", "sk-" + "ant-api03-aB3dE5fG7hI9jK1lM3nO5pQ7rS9"),
    ("stripe_key", "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"),
    ("sendgrid_key", "SG." + "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr"),
    ("registry_token", "npm_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"),
    ("huggingface_token", "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"),
    ("bearer_token", "Authorization: Bearer " + "mF_9.B5f-4.1JqM0123456789"),
    ("basic_credentials", "authorization: basic " + "QWxhZGRpbjpvcGVuc2VzYW1l"),
    ("private_key", "-----BEGIN PRIVATE KEY-----"),
    ("private_key", "-----BEGIN OPENSSH PRIVATE KEY-----"),
    ("private_key", "-----BEGIN PGP PRIVATE KEY BLOCK-----"),
    ("password", "postgres://ann:hunter22@db.example/app"),
    ("password", "redis://:s3cret@cache:6379"),
    ("password", "PASSWORD=hunter22"),
    ("password", 'password: "correct-horse-7"'),
    ("password", "{'db_password': 'hunter22'}"),
    ("password", "the password is hunter22."),
    ("password", "her passphrase was Tr0ub4dor&3"),
    ("password", "API_KEY = 9f8e7d6c5b4a"),
    ("password", "client secret: q8w7e6r5t4"),
    ("password", "export SMTP_PASSWORD=p@ssphrase"),
]
HARMLESS = [
    "password: ${DB_PASSWORD}",
    "password: <your password>",
    "PASSWORD=********",
    'password = os.environ["DB_PASSWORD"]',
    "password = getpass.getpass()",
    "api_key: YOUR_API_KEY",
    "client_secret=xxxxxxxxxxxx",
    "postgres://ann:${PASSWORD}@db/app",
    "postgres://ann:<password>@db/app",
    "-----BEGIN PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----",
    "The class sk-fading-circle-container-inner spins.",
    "Password: 2024-01-15 was the last change.",
    "The password is 12-characters long at least.",
    "The password was changed at 14:30:00.",
    "Secret key: 4 of clubs",
]


@pytest.mark.parametrize(("kind", "secret"), SECRETS, ids=[f"{kind}-{i}" for i, (kind, _) in enumerate(SECRETS)])
def test_a_secret_is_found_wherever_it_stands(kind: str, secret: str) -> None:
    for text in (secret, f"Ann said: {secret} and left.", f"é😀\n{secret}\n", f"({secret})", f"| {secret} |"):
        assert kind in find_secrets(text), text


@pytest.mark.parametrize("text", HARMLESS)
def test_what_stands_for_a_secret_is_none(text: str) -> None:
    assert list(find_secrets(text)) == []


@pytest.mark.parametrize("text", SENTENCES)
def test_ordinary_sentences_have_none(text: str) -> None:
    assert list(find_secrets(text)) == []


def test_the_sample_has_none() -> None:
    for line in SAMPLE.splitlines():
        assert list(find_secrets(json.loads(line)["content"])) == []


def test_the_name_of_a_text_may_say_that_it_is_a_password() -> None:
    assert list(find_secrets("hunter22", "db_password")) == ["password"]
    assert list(find_secrets("hunter22", "nickname")) == []
    assert list(find_secrets("see the vault, shelf 22", "password")) == []


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=400))
def test_any_text_can_be_read(text: str) -> None:
    list(find_secrets(text))


@given(st.lists(st.sampled_from(" ".join(SENTENCES).split()), max_size=60))
def test_ordinary_words_in_any_order_have_none(words: list[str]) -> None:
    assert list(find_secrets(" ".join(words))) == []


@pytest.mark.parametrize(
    "part", ["a", "a@", "://a:", "password: ", "bearer ", "eyJaaaaaaaa.", "aws secret", "a_key", "-"]
)
def test_a_text_made_to_be_slow_is_not(part: str) -> None:
    """It would take minutes, and the test its time limit, if a pattern went over the text again and again."""
    list(find_secrets((part * 65_536)[: 1 << 20]))
