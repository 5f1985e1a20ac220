"""Writes the files beside it: images that Go cannot write, and what Pillow's resize makes of one. Pillow 13.0.0, numpy 2.4.6."""
import os
import numpy as np
from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
rng = np.random.default_rng(6)
photo = Image.fromarray(rng.integers(0, 256, (13, 17, 3), dtype=np.uint8))
photo.save("photo.png")
for h, w in [(8, 8), (5, 29), (26, 34), (13, 4), (1, 1), (40, 17)]:
    photo.resize((w, h), Image.Resampling.BILINEAR).save(f"resized_{h}x{w}.png")
photo.convert("L").save("grey.png")
cmyk = Image.new("CMYK", (2, 1))
cmyk.putdata([(0, 0, 0, 0), (255, 0, 255, 0)])
cmyk.resize((16, 8), Image.Resampling.NEAREST).save("cmyk.jpg", quality=100)
frames = [Image.new("RGB", (4, 4), c) for c in ("red", "blue")]
frames[0].save("animated.png", save_all=True, append_images=frames[1:])
Image.fromarray(np.array([[0, 128, 65535], [257, 300, 40000]], dtype=np.uint16)).save("sixteen.png")
photo.save("photo.jpg", quality=90)
frames[0].save("frames.gif")
