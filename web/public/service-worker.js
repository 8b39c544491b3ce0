/** Keeps the page's own files, so that it opens offline, and asks for isolation, so that WebAssembly has threads on any static server. */
const CACHE = "flava-page";

self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

const isolated = (response) => {
  if (response.status === 0 || response.type === "opaque") return response;
  const headers = new Headers(response.headers);
  headers.set("cross-origin-opener-policy", "same-origin");
  headers.set("cross-origin-embedder-policy", "require-corp");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
};

/** Whether this worker keeps a file: the page's own; the model's are kept by the library itself. */
const isKept = (address) => {
  const { origin, href } = new URL(address);
  return origin === self.location.origin && !href.startsWith(new URL("model/", self.registration.scope).href);
};

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !isKept(request.url) || request.headers.has("range")) return;
  const answer = async () => {
    const cache = await caches.open(CACHE);
    try {
      const response = await fetch(request);
      if (response.ok) event.waitUntil(cache.put(request, response.clone()).catch(() => undefined)); // told when it is asked to keep
      return isolated(response);
    } catch (error) {
      const kept = await cache.match(request, { ignoreSearch: true });
      if (kept) return isolated(kept);
      throw error;
    }
  };
  event.respondWith(answer());
});

/** The page says what it consists of, once it has loaded. */
self.addEventListener("message", (event) => {
  const keep = async () => {
    const cache = await caches.open(CACHE);
    try {
      for (const address of new Set(event.data.keep.filter(isKept)))
        if (!(await cache.match(address))) await cache.add(address);
    } catch (error) {
      event.source.postMessage({ notKept: error.name === "QuotaExceededError" ? "no room left" : error.message });
    }
  };
  event.waitUntil(keep());
});
