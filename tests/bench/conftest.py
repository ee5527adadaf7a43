import sys
from pathlib import Path

# `bench` lies beside src/ and is not installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
