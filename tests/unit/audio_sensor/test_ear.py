import asyncio
import subprocess
import sys

import numpy as np
import pytest

from nodes.audio_sensor.ear import Ear, Pace
from nodes.audio_sensor.errors import PartMissing
from nodes.audio_sensor.listening import SpeechBegan, SpeechEnded, Understood
from nodes.audio_sensor.settings import Hearing
from nodes.speaker.slots import Sound
from nodes.speaker.wav import GrowingWav
from runtime.clock import Clock
from tests.unit.audio_sensor.test_listening import PaperActivity, PaperRecogniser, frames


@pytest.fixture
def recording(tmp_path):
    growing = GrowingWav(tmp_path / "said.wav")
    growing.append(Sound((np.concatenate(frames(20, 20, 30, 10, 20)) * 32767).astype("<i2").tobytes(), 16000))
    growing.finish()
    return growing.path


@pytest.fixture
def ear(tmp_path):
    made = Ear(Hearing(), tmp_path, Clock(), lambda _hearing, _folder: (PaperActivity(), PaperRecogniser()))
    yield made
    made.close()


async def hear(ear, path):
    return [one async for one in ear.hear(await ear.recording(path), Pace.FAST)]


async def test_a_recording_is_heard_in_order_and_counted(ear, recording):
    noticed = await hear(ear, recording)
    assert [type(one) for one in noticed] == [SpeechBegan, SpeechEnded, Understood] * 2
    stats = ear.stats()
    assert (stats["loaded"], stats["utterances"], stats["frames"], stats["audio_s"]) == (1, 2, 100, 3.2)
    assert await hear(ear, recording) != []
    assert ear.stats()["utterances"] == 4


async def test_the_loop_turns_while_a_decoder_works(ear, recording):
    turned = 0

    async def turn():
        nonlocal turned
        while True:
            turned += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    await hear(ear, recording)
    turning.cancel()
    assert turned > 10


async def test_what_is_missing_is_said_and_tried_again(tmp_path, recording):
    missing = [PartMissing("the ear fell off", remedy="put it on again")]

    def parts(_hearing, _folder):
        if missing:
            raise missing.pop()
        return PaperActivity(), PaperRecogniser()

    ear = Ear(Hearing(), tmp_path, Clock(), parts)
    with pytest.raises(PartMissing, match="put it on again"):
        await hear(ear, recording)
    assert ear.stats()["loaded"] == 0
    assert len(await hear(ear, recording)) == 6
    ear.close()


def test_the_modules_are_light():
    heavy = "[m for m in ('numpy', 'onnxruntime', 'pocketsphinx', 'torch', 'scipy') if m in sys.modules]"
    code = f"import sys, nodes.audio_sensor.node, nodes.speaker.node; print({heavy})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
