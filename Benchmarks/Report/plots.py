"""Draws curves as SVG: a logarithmic axis across, a linear one up, one line, its points with their values."""

import math

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 50, 60


def draw(live, shards, folder):
    """Writes both plots of Documentation/Performance.md; points are (position, nanoseconds)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "live-traces.svg").write_text(
        svg("Cost of a span over live traces, one shard", "live traces", live), encoding="utf-8")
    (folder / "shards.svg").write_text(
        svg("Cost of a span over shards, 300 k live traces in all", "shards of one thread", shards), encoding="utf-8")


def svg(title, across, points):
    """The text of one plot; `points` are (position, nanoseconds), positions above 0 and rising."""
    low, high = math.log10(points[0][0]), math.log10(points[-1][0])
    top = nice(max(value for _, value in points) * 1.15)

    def x(position):
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(position) - low) / (high - low)

    def y(value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{WIDTH / 2}" y="26" text-anchor="middle" font-size="15" fill="#111111">{title}</text>']
    for step in range(5):
        value = top * step / 4
        lines.append(f'<line x1="{LEFT}" y1="{y(value):.1f}" x2="{WIDTH - RIGHT}" y2="{y(value):.1f}" stroke="#dddddd"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end" fill="#444444">{value:g}</text>')
    for position, _ in points:
        lines.append(f'<text x="{x(position):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle"'
                     f' fill="#444444">{short(position)}</text>')
    path = " ".join(f"{x(position):.1f},{y(value):.1f}" for position, value in points)
    lines.append(f'<polyline points="{path}" fill="none" stroke="#1f5fa8" stroke-width="2.5"/>')
    for position, value in points:
        lines.append(f'<circle cx="{x(position):.1f}" cy="{y(value):.1f}" r="4" fill="#1f5fa8"/>')
        lines.append(f'<text x="{x(position):.1f}" y="{y(value) - 10:.1f}" text-anchor="middle"'
                     f' fill="#1f5fa8">{value:.0f}</text>')
    middle = (HEIGHT - BOTTOM + TOP) / 2
    lines.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 14}" text-anchor="middle" fill="#444444">{across}</text>')
    lines.append(f'<text x="20" y="{middle}" text-anchor="middle" fill="#444444"'
                 f' transform="rotate(-90 20 {middle})">CPU ns a span</text>')
    lines.append("</svg>")
    return "\n".join(lines) + "\n"


def nice(value):
    """The next round number of which a quarter is round too."""
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * power >= value)


def short(number):
    if number >= 1_000_000:
        return f"{number / 1_000_000:g} M"
    return f"{number / 1000:g} k" if number >= 1000 else f"{number}"
