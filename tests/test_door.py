"""The app's door: how many uploads may lie on the disk, and how much they may weigh; behind it stands a stand-in."""

import asyncio
import json

import pytest

from skinlib.serve import door

pytestmark = pytest.mark.filterwarnings("error")


class Server:
    """Takes every upload as Gradio does: writes as many files as it is told, and answers with their paths."""

    def __init__(self, folder):
        self.folder, self.files, self.number = folder, 1, 0
        self.status, self.hold = 200, None

    async def __call__(self, scope, receive, send):
        paths = []
        for _ in range(self.files):
            self.number += 1
            path = self.folder / str(self.number) / "photo.jpg"
            path.parent.mkdir()
            path.write_bytes(b"x")
            paths.append(str(path))
        if self.hold:
            await self.hold.wait()
        body = json.dumps(paths).encode()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        for part in (body[:5], body[5:]):
            await send({"type": "http.response.body", "body": part, "more_body": part == body[:5]})


@pytest.fixture
def server(tmp_path):
    return Server(tmp_path)


async def post(front, length=1000, path=door.UPLOAD):
    """Send an upload; return the status and the body of the reply."""
    scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"content-length", str(length).encode())]}
    told = []

    async def send(message):
        told.append(message)

    await front(scope, None, send)
    return told[0]["status"], b"".join(message.get("body", b"") for message in told)


def test_uploads_are_handed_on_whole(server):
    status, body = asyncio.run(post(door.Door(server, 2000)))
    assert status == 200 and len(json.loads(body)) == 1


@pytest.mark.parametrize("path", [door.UPLOAD, f"{door.UPLOAD}/"])
def test_only_so_many_lie_on_the_disk(server, monkeypatch, path):
    monkeypatch.setattr(door, "MOST_PHOTOS", 3)
    front = door.Door(server, 2000)

    async def story():
        replies = [await post(front, path=path) for _ in range(3)]
        assert [status for status, _ in replies] == [200] * 3
        status, body = await post(front, path=path)
        assert status == 503 and b"try again" in body and server.number == 3, "refused before anything is written"
        door.forget(json.loads(replies[0][1])[0])  # one was looked at
        assert (await post(front, path=path))[0] == 200
        assert (await post(front, path=path))[0] == 503

    asyncio.run(story())


def test_only_so_many_bytes_lie_on_the_disk(server, monkeypatch):
    monkeypatch.setattr(door, "MOST_BYTES", 2500)
    front = door.Door(server, 2000)

    async def story():
        assert [(await post(front))[0] for _ in range(3)] == [200, 200, 503]
        assert (await post(front, 500))[0] == 200

    asyncio.run(story())


def test_what_is_on_its_way_counts(server, monkeypatch):
    monkeypatch.setattr(door, "MOST_PHOTOS", 2)
    front = door.Door(server, 2000)

    async def story():
        server.hold = asyncio.Event()
        slow = [asyncio.create_task(post(front)) for _ in range(2)]
        await asyncio.sleep(0)
        assert (await post(front))[0] == 503
        server.hold.set()
        assert [status for status, _ in await asyncio.gather(*slow)] == [200, 200]
        assert not front.arriving and len(front.lying) == 2

    asyncio.run(story())


def test_one_request_is_one_photo(server, tmp_path):
    """Else thirty megabytes would be a thousand files."""
    server.files = 5
    front = door.Door(server, 2000)
    status, body = asyncio.run(post(front))
    assert status == 413 and b"one photo" in body
    assert not [file for file in tmp_path.rglob("*")] and not front.lying


def test_an_upload_that_fails_takes_no_room(server, monkeypatch):
    front = door.Door(server, 2000)
    server.status = 400
    assert asyncio.run(post(front))[0] == 400
    assert not front.lying and not front.arriving

    async def breaks(*_):
        raise OSError("disk full")

    front.app = breaks
    with pytest.raises(OSError, match="disk full"):
        asyncio.run(post(front))
    assert not front.arriving


def test_to_forget_twice_is_no_error(tmp_path):
    door.forget(tmp_path / "a" / "photo.jpg")
