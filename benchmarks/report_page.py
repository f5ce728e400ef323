"""How large a report's page is and how soon it is there, in a fresh headless Chromium; optionally a picture of
all above its table of results.

    python benchmarks/report_page.py REPORT.html [--runs 5] [--picture FILE.png]

Needs selenium, Debian's chromium and chromedriver. The page counts as open when it has loaded and both plots are drawn.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from selenium import webdriver

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1300,1000"),
)
DRAWN = "return document.readyState === 'complete' && document.querySelectorAll('.main-svg').length > 1"
ABOVE_TABLE = "return document.querySelector('#results').offsetTop"
LOADED = "return performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"


def browser(profile: str) -> webdriver.Chrome:
    """A browser that has nothing cached."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))


def opened(page: Path, picture: Path | None) -> tuple[float, float]:
    """Seconds to the load event, and until the plots are drawn."""
    with tempfile.TemporaryDirectory() as profile:
        driver = browser(profile)
        try:
            started = time.perf_counter()
            driver.get(page.resolve().as_uri())
            while not driver.execute_script(DRAWN):
                time.sleep(0.01)
            drawn = time.perf_counter() - started
            loaded = float(driver.execute_script(LOADED))
            if picture is not None:
                driver.set_window_size(1300, driver.execute_script(ABOVE_TABLE) + 120)
                time.sleep(1.0)
                driver.save_screenshot(str(picture))
        finally:
            driver.quit()
    return loaded, drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    times = [opened(asked.page, asked.picture if run == 0 else None) for run in range(asked.runs)]
    print(f"{asked.page.stat().st_size / 1e6:.2f} MB")
    for name, values in zip(("load event", "plots drawn"), zip(*times, strict=True), strict=True):
        print(f"{name}: median {statistics.median(values):.2f} s, {min(values):.2f} to {max(values):.2f} s")


if __name__ == "__main__":
    main()
