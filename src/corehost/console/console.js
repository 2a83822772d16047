// Follows the page by server-sent events. Without it the page is complete, and is reloaded by hand.
"use strict";
(() => {
  const root = document.documentElement;
  const clock = Date.now() - Date.parse(root.dataset.now);
  const live = document.getElementById("live");
  const told = document.getElementById("told");
  let states = JSON.parse(root.dataset.states);
  let digest = root.dataset.digest;
  let late;

  const tell = (alive, text) => {
    live.hidden = false;
    live.classList.toggle("lost", !alive);
    const place = document.getElementById("live-text");
    if (place.textContent !== text) place.textContent = text;
  };

  const ago = (seconds) => {
    if (seconds < 100) return `${seconds} s`;
    if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
    return seconds < 172800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} days`;
  };

  const ages = () => {
    for (const time of document.querySelectorAll("main time[datetime]")) {
      let place = time.nextElementSibling;
      if (!place || place.className !== "ago") {
        place = document.createElement("span");
        place.className = "ago";
        time.after(place);
      }
      const seconds = Math.max(0, Math.floor((Date.now() - clock - Date.parse(time.dateTime)) / 1000));
      const text = ` ${ago(seconds)} ago`;
      if (place.textContent !== text) place.textContent = text;
    }
  };

  // What is scrolled, focused or open stays so when its part is replaced.
  const replace = (place, html) => {
    const scrolled = [...place.querySelectorAll(".wide")].map((one) => [one.scrollLeft, one.scrollTop]);
    const focusable = "a, summary, [tabindex]";
    const focused = [...place.querySelectorAll(focusable)].indexOf(document.activeElement);
    place.innerHTML = html;
    place.querySelectorAll(".wide").forEach((one, index) => {
      if (scrolled[index]) one.scrollTo(...scrolled[index]);
    });
    if (focused >= 0) place.querySelectorAll(focusable)[focused]?.focus({ preventScroll: true });
  };

  const announce = (now) => {
    const changes = Object.keys(now).filter((name) => name && now[name] !== states[name]);
    const words = changes.map((name) => `${name}: ${now[name]}`);
    if (now[""] !== states[""]) words.unshift(now[""]);
    if (words.length) told.textContent = words.join(". ");
    states = now;
  };

  const change = (event) => {
    const seen = JSON.parse(event.data);
    for (const [name, html] of Object.entries(seen.parts)) {
      const place = document.getElementById(name);
      if (place) replace(place, html);
    }
    document.title = seen.title;
    digest = event.lastEventId;
    ages();
    announce(seen.states);
  };

  const alive = (event) => {
    clearTimeout(late);
    late = undefined;
    tell(true, "Live");
    const read = document.getElementById("read");
    const at = event && event.data && JSON.parse(event.data).at;
    if (at) {
      read.dateTime = at;
      read.textContent = at;
    }
  };

  const follow = () => {
    const query = new URLSearchParams(location.search);
    query.set("seen", digest);
    const source = new EventSource(`events?${query}`);
    source.addEventListener("change", (event) => { change(event); alive(event); });
    source.addEventListener("beat", alive);
    source.onopen = () => alive();
    source.onerror = () => {
      late ??= setTimeout(() => tell(false, "Connection lost, trying again"), 4000);
      if (source.readyState === EventSource.CLOSED) setTimeout(follow, 5000);
    };
  };

  const picture = document.querySelector(".picture .wide");
  if (picture) picture.scrollLeft = Number(picture.dataset.ahead ?? picture.scrollWidth) - picture.clientWidth / 2;
  root.classList.add("scripted");
  setInterval(ages, 1000);
  ages();
  if (!document.querySelector("meta[http-equiv=refresh]")) follow();
})();
