"""The tabs of the page, and its language."""

from pathlib import Path
from typing import Any

import gradio as gr

from deploy.page import filling, restoring, translating, viewing
from deploy.page.common import Page
from deploy.page.mounting import SWEPT
from deploy.page.texts import LANGUAGES
from deploy.service import Service


# gradio's own words ("drop a picture here") follow the browser; the function that changes them is in one of its files
OWN_WORDS = """async (language) => {
    const files = performance.getEntriesByType("resource").map((one) => one.name);
    const core = files.find((name) => /\\/assets\\/core-[^/]*\\.js$/.test(name));
    if (core) (await import(core)).changeLocale?.(language === "English" ? "en" : "zh-CN");
    return [language];
}"""


def make_blocks(service: Service, folder: Path, data: str | Path | None = None) -> gr.Blocks:
    """The page.

    Args:
        service: what it runs on.
        folder: for files on their way.
        data: folder of the data set viewer.
    """
    with gr.Blocks(title="Kintsugi", analytics_enabled=False, delete_cache=SWEPT, fill_width=True) as blocks:
        language = gr.Radio(LANGUAGES, value=LANGUAGES[0], show_label=False, container=False, elem_id="language")
        page = Page(service, folder, language)
        page.words.of(gr.Markdown(), value="title")
        with gr.Tabs() as tabs:
            photos = {"restore": restoring.add(page), "fill": filling.add(page), "translate": translating.add(page)}
            viewing.add(page, data, tabs, photos)

        def preferred(request: gr.Request) -> tuple[Any, ...]:
            wanted = str(request.headers.get("accept-language", ""))
            found = LANGUAGES[wanted.lower().startswith("zh")]
            return (found, *page.words.updates(found))

        blocks.load(preferred, None, [language, *page.words.components()], api_visibility="private")
        language.input(page.words.updates, language, page.words.components(), js=OWN_WORDS, api_visibility="private")
    return blocks
