"""Its being here puts this folder on the import path: tests share narrows.py, frames.py and the like."""
