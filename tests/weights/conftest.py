"""What the tests of weight files share."""

import sys
from pathlib import Path

# For `originals`, which several test files use.
sys.path.insert(0, str(Path(__file__).parent))
