"""Script in every text that may come to stand on a page."""


class Evil(Exception):
    pass


Evil.__name__ = "<script>alert(1)</script>"


def double(x):
    raise Evil("</li></ul><script>alert(2)</script><img src=x onerror=alert(3)>")


my_number = type("<script>alert(4)</script>", (), {})()

# %%
raise Evil("<iframe src='javascript:alert(5)'></iframe>{body}{0.__class__}%s")
