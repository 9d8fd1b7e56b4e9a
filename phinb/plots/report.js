// Unpacks plotly.js, draws each plot for the theme that is on, and draws anew for the other, and in light for paper.
(async () => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll(".plot")];
  const tables = [...document.querySelectorAll("details")];

  const read = (theme, kind) => JSON.parse(document.querySelector(`script[data-${theme}="${kind}"]`).textContent);

  const draw = (theme) =>
    Promise.all(
      plots.map((place) => {
        const { data, layout } = read(theme, place.dataset.kind);
        place.style.height = `${layout.height}px`;
        const settings = { responsive: true, displaylogo: false, displayModeBar: false, showSendToCloud: false };
        return window.Plotly.react(place, data, layout, settings);
      }),
    );

  const show = () => draw(dark.matches ? "dark" : "light");

  try {
    const packed = atob(document.getElementById("plotly").textContent.trim());
    const bytes = Uint8Array.from(packed, (sign) => sign.charCodeAt(0));
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(unpacked).text();
    document.head.append(script);
    await show();
    document.documentElement.dataset.drawn = String(plots.length);
  } catch (error) {
    document.getElementById("undrawn").hidden = false;
    tables.forEach((one) => (one.open = true));
    console.error(error);
    return;
  }
  dark.addEventListener("change", show);
  // Paper shows every table, and the plots in the colours for white.
  const opened = new Set();
  window.addEventListener("beforeprint", () => {
    tables.filter((one) => !one.open).forEach((one) => (opened.add(one), (one.open = true)));
    draw("light");
  });
  window.addEventListener("afterprint", () => {
    opened.forEach((one) => (one.open = false));
    opened.clear();
    show();
  });
})();
